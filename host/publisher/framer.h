/* Cuts the body of a publisher into messages. A body that begins as a transport stream is cut at
 * the ends of its pictures (wire/media/mpegts_framer.h); every body is cut where nothing comes for
 * a while, but never inside a chunk of the transfer coding: ffmpeg sends each picture as one chunk,
 * and one above 32768 bytes as chunks of that size and a last one. Pure but for its buffer. One
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "host/feed/parcel.h"
#include "wire/media/mpegts_framer.h"

enum framer_limits {
    FRAMER_FULL_CHUNK = 32768, /* the buffer of ffmpeg: the picture goes on in the next chunk */
    FRAMER_PAUSE_MS = 1,
    FRAMER_PAUSE_LONG_MS = 20, /* when more of the picture must come */
    FRAMER_PROBE_BYTES = 3 * MPEGTS_PACKET_SIZE,
    FRAMER_MESSAGE_MAX = PARCEL_BYTES_MAX - PARCEL_BYTES_MAX % MPEGTS_PACKET_SIZE,
};

struct framer {
    /* Called with each message, whose bytes are borrowed. */
    void (*on_cut)(void *context, struct bytes content, bool is_transport_stream);
    void *context;

    /* Private. */
    enum { FRAMER_PROBING, FRAMER_BYTES, FRAMER_PACKETS } kind;
    uint8_t *buf; /* FRAMER_MESSAGE_MAX bytes, touched as far as they are needed */
    size_t len;   /* while probing, or of bytes */
    struct mpegts_framer packets;
    bool in_chunk;
    bool after_full_chunk;
};

/* 0 or -ENOMEM. */
MUST_USE int framer_init(struct framer *framer,
                         void (*on_cut)(void *context, struct bytes content,
                                        bool is_transport_stream),
                         void *context);
void framer_deinit(struct framer *framer);

void framer_take(struct framer *framer, struct bytes content);

/* After the content of a chunk, or a part of it, was taken. chunk_size 0: the body has no chunks.
 */
void framer_note_chunk(struct framer *framer, size_t chunk_size, bool in_chunk);

/* The silence after which framer_cut is due; 0: nothing is held, or the chunk must end first. */
uint64_t framer_pause_ms(const struct framer *framer);

/* A message of what is held. */
void framer_cut(struct framer *framer);
