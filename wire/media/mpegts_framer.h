/* Cuts a transport stream that comes in arbitrary pieces into messages of one video frame each, so
 * that a frame leaves as soon as its last packet is there. A frame ends when its PES_packet_length
 * is satisfied; if the length is unknown, at the packet with stuffing (a muxer stuffs only the last
 * packet of a PES) or else at the next frame or when the owner's timer expires. Tables, audio and
 * other packets between two frames go in front of the next frame. Packets are passed on unchanged;
 * bytes outside packets are discarded and counted.
 *
 * Pure: no I/O, no clock, no allocation; what it holds is bounded by the owner's buffer. One
 * framer, one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "wire/media/mpegts.h"

enum mpegts_message_end {
    MPEGTS_END_LENGTH,     /* PES_packet_length satisfied */
    MPEGTS_END_STUFFING,   /* stuffing in the last packet */
    MPEGTS_END_NEXT_START, /* the next frame began */
    MPEGTS_END_FLUSH,      /* mpegts_framer_flush */
    MPEGTS_END_FULL,       /* the buffer is full: the frame continues in the next message */
    MPEGTS_END_COUNT,
};

struct mpegts_message {
    struct bytes packets; /* whole packets, borrowed until the next call on the framer */
    enum mpegts_message_end end;
};

/* State of the packets held, so that the owner can choose how long to wait for the rest. */
enum mpegts_pending {
    MPEGTS_PENDING_NOTHING,
    MPEGTS_PENDING_BETWEEN, /* packets that belong in front of the next frame */
    MPEGTS_PENDING_OPEN,    /* a frame of unknown length: it may be complete already */
    MPEGTS_PENDING_PARTIAL, /* a frame of known length: the rest is still to come */
};

struct mpegts_framer {
    uint8_t *buf; /* held packets */
    size_t buf_size;
    size_t buf_len;
    size_t taken_len; /* front of buf that the last message lends out; goes at the next call */
    size_t frame_len; /* front of buf up to the last packet of the frame, while one is open */

    uint8_t carry[MPEGTS_PACKET_SIZE + 1]; /* a packet being collected, and the next sync byte */
    size_t carry_len;
    bool synced; /* false exactly from a missing sync byte until two are found 188 apart */

    bool frame_open;
    uint16_t video_pid;  /* of the open frame */
    size_t pes_len;      /* of the open frame; 0: unknown */
    size_t pes_seen_len; /* payload bytes of it so far */

    uint64_t discarded_bytes;
};

/* buf_size: at least one packet; only a multiple of MPEGTS_PACKET_SIZE is used. */
void mpegts_framer_init(struct mpegts_framer *framer, uint8_t *buf, size_t buf_size);

/* Forgets everything held, as after a seek. Counters stay. */
void mpegts_framer_reset(struct mpegts_framer *framer);

/* Reads from the front of *input and advances it. True: *ret_message is complete; call again, the
 * input may hold more. False: the input is used up, *ret_message untouched. */
MUST_USE bool mpegts_framer_push(struct mpegts_framer *framer, struct bytes *input,
                                 struct mpegts_message *ret_message);

/* Ends the open frame, or returns the packets held between frames. False when nothing is held. At
 * the end of the stream call until false. The start of an incomplete packet stays. */
MUST_USE bool mpegts_framer_flush(struct mpegts_framer *framer, struct mpegts_message *ret_message);

enum mpegts_pending mpegts_framer_pending(const struct mpegts_framer *framer);
