/* Tells of each message of one publisher what it is: data, a JPEG, or part of an MPEG transport
 * stream, and then which picture begins in it, where viewers may begin and where they may be cut
 * off. Messages may cut the stream anywhere, inside a packet as well. The probe looks at packet
 * headers, tables and the first bytes of pictures, not at the clock.
 *
 * JPEG: a message that is one whole picture from its first byte on; bytes behind the EOI do not
 * matter. A picture in several messages, or in a multipart body, is data: no part may be dropped.
 *
 * Transport stream: recognised where a message has at least three packets, or begins with a PAT;
 * packets of 192 or 204 bytes are data. After damage the probe finds the packets again. Publishers
 * may change format, and send other messages between those of a stream that they do not cut inside
 * packets. Only binary messages belong here: text is data.
 *
 * Key pictures: those with a random_access_indicator that their first bytes do not contradict, or I
 * pictures, IDR, IRAP and recovery points that come with their parameters, in so far as this shows
 * before the message ends. A stream of several programs, or without valid tables, has none.
 *
 * Behind key pictures of open groups come leading pictures. H.265 decoders leave them out when told
 * by the splice. Those of H.264 and MPEG-1/2 leave them out where they begin, but not where a
 * viewer resumes: there messages with leading pictures must be left out, which needs one picture in
 * each.
 *
 * Pure: no I/O, no clock, no allocation. One probe for each publisher, one thread at a time. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "wire/media/mpegts_pids.h"
#include "wire/media/mpegts_program.h"
#include "wire/media/splice.h"

enum media_kind {
    MEDIA_DATA,
    MEDIA_JPEG,
    MEDIA_STREAM,     /* part of a transport stream in which no picture begins */
    MEDIA_DISPOSABLE, /* exactly one picture, from which no other is predicted */
    MEDIA_DEPENDENT,
    MEDIA_KEY, /* decoding can start in it: see key_offset */
};

enum stream_probe_limits {
    STREAM_SPLICE_SIZE_MAX = SPLICE_SIZE_MAX + MPEGTS_PACKET_SIZE,
    STREAM_LOOKS = 16,      /* messages in which a stream is looked for at every offset; then */
    STREAM_LOOK_EVERY = 64, /* only in each such one, and in those that begin with a sync byte */
    STREAM_LEADING_90KHZ = 10 * 90000, /* larger steps back are jumps of time stamps */
    STREAM_STRAYS_MAX = 16,            /* consecutive messages without a packet end a stream */
    STREAM_SEARCHES_MAX = 64 * 1024,   /* sync bytes of a message that begin no packet; past them
                                          the rest of it is not looked at */
};

/* Findings in one message. */
struct stream_mark {
    enum media_kind kind; /* of the pictures that begin in it, the most important */
    bool has_gap;         /* counters show that packets are missing, in front of it or in it */

    /* Where a viewer may be cut off, because no PES is incomplete there. */
    bool starts_at_boundary; /* in front of the message */
    bool key_at_boundary;    /* in front of the key picture */
    size_t end_offset;       /* the last such place in the message; if a key picture ends in it
                                that began in an earlier one, the first: behind it may come leading
                                pictures, of which those who get nothing else can make nothing. 0:
                                none */

    /* With MEDIA_KEY. */
    size_t key_offset;     /* first byte here of the packet that begins the last key picture */
    uint8_t key_carry_len; /* bytes of that packet that came before the message */

    /* The picture that begins in it is shown before the last key picture, and perhaps predicted
     * from those before: viewers who started at the key picture go without, up to the next message
     * that starts at a boundary and is not leading; see stream_probe_gap. */
    bool is_leading;
};

struct stream_probe {
    struct mpegts_program program;
    struct mpegts_pids pids;
    bool is_stream;
    unsigned looks;  /* messages in which no stream was found */
    unsigned strays; /* consecutive messages of a stream that have nothing of it */

    uint8_t carry[MPEGTS_PACKET_SIZE + 1]; /* a packet that began in an earlier message */
    size_t carry_len;
    bool synced; /* false from a missing sync byte until two are found 188 apart */

    unsigned layer_max;        /* the highest TemporalId so far */
    struct splice_point begin; /* of the last message, if it starts at a boundary */
    struct splice_point key;
    bool key_is_open; /* it goes on behind the last message */
    bool may_lead;    /* the pictures since the last key picture are all leading */
    uint64_t key_pts; /* with may_lead */
    uint8_t key_carry[MPEGTS_PACKET_SIZE];
    uint8_t key_carry_len;
};

void stream_probe_init(struct stream_probe *probe);

/* True when a publisher's message, the count-th from 0 on, has to be shown to a probe, although all
 * before were data: owners need no probe, and no memory for it, until then. Costs the same for
 * messages of any size. */
bool stream_probe_is_wanted(struct bytes message, unsigned count);

/* Takes the next binary message. */
struct stream_mark stream_probe_take(struct stream_probe *probe, struct bytes message);

/* Only after a message with a key picture, before the next message: writes the bytes that a viewer
 * needs in front of message + key_offset, to begin there or to go on there after a boundary:
 * tables, counters, and the carried bytes of the picture's first packet. Returns their length. */
size_t stream_probe_splice(const struct stream_probe *probe,
                           uint8_t out[static STREAM_SPLICE_SIZE_MAX]);

/* Only after a message of a stream that starts at a boundary, before the next message: writes the
 * packets that a viewer needs in front of it who did not get messages before it. They must have
 * been disposable or leading pictures. Returns their length. */
size_t stream_probe_gap(const struct stream_probe *probe, uint8_t out[static SPLICE_GAP_SIZE_MAX]);
