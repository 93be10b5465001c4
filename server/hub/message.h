/* One message, ready to send: header and payload of its outgoing frame are contiguous and the same
 * for every viewer, so all of them send the same bytes. The memory belongs to the worker that made
 * it.
 *
 * Counting: `workers` is the number of workers that hold the message, atomic. Each holding worker
 * has one struct share with a plain count of its own references (subscriber queues, the publisher
 * while it publishes). A worker's last share_unref releases its hold; releasing the last hold
 * returns the message to its home. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/loop/worker.h"
#include "wire/ws_frame.h"

struct message;
struct topic;

struct share {
    struct message *message;
    uint32_t count;
};

struct message {
    struct share home_share; /* of the worker that made it */
    _Atomic uint32_t workers;
    uint16_t home; /* index of that worker */
    uint8_t header_len;
    bool is_control; /* Close, ping, pong, HTTP: never dropped, no age */
    bool is_urgent;  /* ping and pong: sent before waiting data */
    bool is_pong;
    bool is_secret; /* wiped on return: it may hold a code */
    uint32_t payload_len;
    uint32_t payload_capacity;
    uint64_t received_ms; /* arrival time of its last byte */
    struct topic *topic;  /* referenced while other workers may hold the message, else NULL */
    uint8_t header_room[WS_SERVER_HEADER_BYTES_MAX];
    uint8_t payload[]; /* directly after the header room */
};

/* A message that is not data: an HTTP response, a TLS record. From the reserved memory. */
MUST_USE struct message *message_create_reserved(struct worker *worker, size_t payload_capacity);

/* Room for payload_capacity bytes, one reference by the caller (its home_share). NULL when the
 * worker's message memory is exhausted. Owner worker only. */
MUST_USE struct message *message_create(struct worker *worker, size_t payload_capacity);

/* Replaces *message by one with more room and the same payload_len bytes. False, with *message
 * unchanged, when memory is exhausted. Only before publishing. */
MUST_USE bool message_grow(struct worker *worker, struct message **message,
                           size_t payload_capacity);

/* Writes the header of an unmasked final frame in front of payload_len bytes. */
void message_frame(struct message *message, enum ws_opcode opcode);

/* The bytes to send. */
struct bytes message_bytes(const struct message *message);

/* A message of a control frame, or NULL. */
MUST_USE struct message *message_create_control(struct worker *worker, enum ws_opcode opcode,
                                                struct bytes payload);

/* References within the worker. */
void share_ref(struct share *share);
void share_unref(struct worker *worker, struct share *share);

/* A hold for another worker, taken before the letter is posted. */
void message_hold(struct message *message);
/* Releases a hold without a share: a letter that could not be posted or used. */
void message_drop_hold(struct worker *worker, struct message *message);

/* The share of a worker that received the letter, with one reference; NULL (and the hold released)
 * when its memory is exhausted. */
MUST_USE struct share *message_take_share(struct worker *worker, struct message *message);

/* A LETTER_MESSAGE_HOME arrived: returns the message to the pool. */
void message_come_home(struct worker *worker, struct message *message);
