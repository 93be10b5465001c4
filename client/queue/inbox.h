/* The bounded queue of received messages that wait for the application: whole messages, in order.
 * Messages that waited too long are never handed out, and a message says whether others are missing
 * before it. Not thread-safe: the client's mutex guards it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "client/relay_client.h"

struct inbox_limits {
    uint64_t bytes_max;
    uint64_t age_max_ns; /* 0: none */
};

enum inbox_cause { INBOX_OVERFLOW, INBOX_AGE, INBOX_CAUSE_COUNT };

struct inbox_message {
    struct relay_client_message message; /* its data point behind this struct */
    struct list node;
};

struct inbox {
    struct inbox_limits limits;
    struct list messages;
    uint64_t count;
    uint64_t bytes; /* of their payloads, and what each costs besides */
    bool gap;       /* messages before the next one put are missing */
    uint64_t dropped_messages[INBOX_CAUSE_COUNT];
    uint64_t dropped_bytes;
};

void inbox_init(struct inbox *inbox, const struct inbox_limits *limits);

/* Frees the messages that wait. */
void inbox_deinit(struct inbox *inbox);

/* Applies to messages put or taken from now on. */
void inbox_set_limits(struct inbox *inbox, const struct inbox_limits *limits);

/* A copy, for inbox_put or inbox_message_destroy. NULL: no memory. */
MUST_USE struct inbox_message *inbox_message_create(enum relay_client_type type, const void *data,
                                                    size_t len, uint64_t now_ns);
void inbox_message_destroy(struct inbox_message *message);

/* Takes the message; the oldest ones make room. One that is larger than the limit is accepted when
 * the inbox is empty. */
void inbox_put(struct inbox *inbox, struct inbox_message *message, uint64_t now_ns);

/* Notes that messages were lost here, as between two connections. */
void inbox_note_gap(struct inbox *inbox);

/* The oldest message that is not too old, the caller's from now on; NULL: none. */
MUST_USE struct inbox_message *inbox_take(struct inbox *inbox, uint64_t now_ns);

/* Age of the oldest message; 0 when empty. */
uint64_t inbox_age_ns(const struct inbox *inbox, uint64_t now_ns);
