/* Lets a video through from a picture on that decoding can start with: at first, and after each
 * gap, behind its tables and the marks of a discontinuity. Other streams pass at once. It also
 * tells the kind of the stream, which messages show. Needs no GStreamer; one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "host-gst/link/stream_kind.h"
#include "wire/media/stream_probe.h"

enum entry_gate_limits {
    /* A stream that has never shown an entry passes after this: it would never start. Encoders make
     * a keyframe every 10 s or more often. */
    ENTRY_GATE_OPENS_AFTER_MS = 12 * 1000,
};

struct entry_gate {
    enum stream_kind kind;
    bool kind_is_given; /* by the user's caps: messages do not change it */
    bool recovers;      /* false: it is always open */
    bool closed;
    bool entry_seen;
    uint64_t closed_ms;
    struct stream_probe probe;
    uint8_t head[STREAM_SPLICE_SIZE_MAX];
    size_t head_len;
};

/* Another stream, of this kind; STREAM_UNKNOWN: the messages show it. The gate is closed. */
void entry_gate_begin(struct entry_gate *gate, enum stream_kind kind, uint64_t now_ms);

/* Messages are missing. */
void entry_gate_close(struct entry_gate *gate, uint64_t now_ms);

/* False: the message must not be passed on. True: pass on head, which may be empty, and the rest of
 * the message. Changes kind when the message shows another. */
MUST_USE bool entry_gate_take(struct entry_gate *gate, struct bytes *message, bool is_text,
                              uint64_t now_ms);
