/* Reads the frames of a local client: whole messages, control frames, and the faults of RFC 6455
 * with the codes and words of practable/relay. The server's side: frames must be masked. One owner,
 * one thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "host/feed/parcel.h"
#include "wire/ws_frame.h"

enum frame_reader_limits {
    FRAME_READER_KEEP_BYTES = 64 * 1024, /* room kept for the next message */
};

enum frame_reader_event {
    FRAME_READER_MORE,    /* the input is used up */
    FRAME_READER_MESSAGE, /* type and content */
    FRAME_READER_PING,    /* content */
    FRAME_READER_PONG,
    FRAME_READER_CLOSE, /* close_code */
    FRAME_READER_FAULT, /* close_code and reason; nothing may be read any more */
};

struct frame_reader {
    /* The last event, valid until the next call. */
    enum parcel_type type;
    struct bytes content;
    uint16_t close_code;
    char reason[WS_CLOSE_REASON_MAX + 1];

    /* Private. */
    size_t *budget;
    struct ws_frame_parser parser;
    struct ws_frame frame;
    bool in_frame;
    uint64_t payload_done;
    uint8_t control[WS_CONTROL_PAYLOAD_MAX];
    uint8_t *message;
    size_t message_len, message_size;
    bool is_delivered;
};

/* budget: bytes that all readers of it may still take for their messages; a message beyond is
 * refused with 1013. */
void frame_reader_init(struct frame_reader *reader, size_t *budget);
void frame_reader_deinit(struct frame_reader *reader);

/* Reads from the front of *input and advances it, up to the next event. */
MUST_USE enum frame_reader_event frame_reader_next(struct frame_reader *reader,
                                                   struct bytes *input);
