/* The part of a published message that a viewer receives: usually the whole; or it starts within
 * one, behind bytes that repair its stream (a splice), or stops within one, where its stream is
 * whole. Each is one WebSocket message. The bytes that are added are made once, on the worker that
 * made the message, before it is published, and shared as the payload is: nothing is copied for a
 * viewer. Immutable once published; any worker that holds the message reads it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/hub/message.h"
#include "server/loop/worker.h"
#include "wire/ws_frame.h"

enum message_part {
    MESSAGE_WHOLE,
    MESSAGE_START, /* the added bytes, then the payload from start_offset on; of a key picture, or
                      behind a disposable one */
    MESSAGE_STOP,  /* the payload up to stop_offset */
};

enum message_part_limits {
    MESSAGE_PART_SLICES = 2,             /* of one part, at most */
    MESSAGE_SPLICE_BYTES_MAX = 8 * 1024, /* added in front */
};

/* A block of the home's pool, for a message that has other parts than the whole; it lives as long
 * as the message. */
struct message_parts {
    uint32_t start_offset;
    uint32_t stop_offset;
    uint16_t front_len; /* header of the frame and splice; 0: no viewer may start here */
    uint8_t front_header_len;
    uint8_t stop_header_len; /* 0: no viewer may stop within */
    uint8_t stop_header[WS_SERVER_HEADER_BYTES_MAX];
    uint8_t front[];
};

/* Lets viewers start at start_offset of the payload, behind a copy of splice, which may be empty,
 * or at the first byte; stop at stop_offset, 0 meaning nowhere, payload_len at the end of the
 * whole. Call once, before the message is published and after it has its payload, frame and topic.
 * False, with nothing changed, when memory is exhausted. Owner worker only. */
MUST_USE bool message_part_start_at(struct worker *worker, struct message *message,
                                    uint32_t start_offset, struct bytes splice,
                                    uint32_t stop_offset);
/* The same for one in which no viewer may start. */
MUST_USE bool message_part_stop_at(struct worker *worker, struct message *message,
                                   uint32_t stop_offset);

/* Whether the message has that part. */
bool message_part_exists(const struct message *message, enum message_part part);

/* Bytes of the frame, header included, and of its payload. The part exists. */
size_t message_part_len(const struct message *message, enum message_part part);
size_t message_part_payload_len(const struct message *message, enum message_part part);

/* Its payload alone, in one or two pieces, of which the second may be empty; for a frame of the
 * caller's own. */
void message_part_payload(const struct message *message, enum message_part part,
                          struct bytes ret_pieces[MESSAGE_PART_SLICES]);

/* The bytes to send, from the one at skip on, which is less than message_part_len. Returns the
 * number of slices, at least one. */
unsigned message_part_slices(const struct message *message, enum message_part part, size_t skip,
                             struct iovec slices[MESSAGE_PART_SLICES]);
