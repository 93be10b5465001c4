/* Minimal reader of the WebSocket frames that a server sends to a viewer: headers, the stamp of
 * each payload, control frames. Payload bytes are skipped, never kept. Independent of wire/, so
 * that a mistake there cannot hide here.
 *
 * All messages of a run have the same size. A server that glues several into one, or cuts one into
 * fragments, is still measured: a record is `record_bytes` of message payload, however framed.
 * One reader per connection, one thread; never allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "perf/load/stamp.h"

enum frame_reader_sizes {
    FRAME_HEADER_BYTES_MAX = 10,
    FRAME_CONTROL_BYTES_MAX = 125,
};

enum frame_reader_result {
    FRAME_READER_MORE,    /* all input was consumed */
    FRAME_READER_RECORD,  /* a record is complete: its stamp is in `stamp` */
    FRAME_READER_MESSAGE, /* a message ended: `message_len`, `message_frames`, `is_binary` */
    FRAME_READER_PING,    /* `control`, `control_len` */
    FRAME_READER_PONG,    /* likewise */
    FRAME_READER_CLOSE,
    FRAME_READER_BAD, /* invalid from a server (RFC 6455 §5): final */
};

struct frame_reader {
    size_t record_bytes; /* ≥ STAMP_SIZE */
    struct stamp stamp;
    uint64_t message_len; /* payload of this message so far, all fragments */
    unsigned message_frames;
    bool is_binary;
    uint8_t control[FRAME_CONTROL_BYTES_MAX];
    uint8_t control_len;

    /* Private to frame_reader.c. */
    uint8_t header[FRAME_HEADER_BYTES_MAX];
    uint8_t header_len;
    uint64_t payload_left; /* of the frame being read */
    size_t record_len;     /* of the record being read */
    bool in_payload;
    bool in_message; /* true exactly from a FIN=0 frame to the end of its last continuation */
};

void frame_reader_init(struct frame_reader *reader, size_t record_bytes);

/* Reads from the front of *input up to the next event. Call until FRAME_READER_MORE. */
MUST_USE enum frame_reader_result frame_reader_next(struct frame_reader *reader,
                                                    struct bytes *input);
