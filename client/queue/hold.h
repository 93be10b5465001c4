/* Messages that are worth sending only to viewers. While there are none, the newest random access
 * and what came after it is kept, within limits, so that the first viewer sees a picture at once;
 * the rest is dropped. Not thread-safe: the client's mutex guards it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/queue/ring.h"

struct hold_limits {
    uint64_t age_max_ns; /* of the random access; 0: nothing is kept */
    uint64_t bytes_max;
    uint32_t messages_max;
};

enum hold_times {
    HOLD_WAIT_S = 30, /* for a random access, as relays wait for one: then all is sent */
    HOLD_ASK_S = 1,
};

struct hold {
    struct hold_limits limits;
    bool watched;
    bool awaits_random_access; /* watched, and nothing that a viewer can start with was sent */
    uint64_t awaits_since_ns, asked_ns;
    struct ring_message *first, *last; /* kept, by their next */
    uint32_t count;
    uint64_t bytes;
    uint64_t dropped_messages, dropped_bytes;
};

/* Watched, until it is told otherwise. */
void hold_init(struct hold *hold, const struct hold_limits *limits);
void hold_deinit(struct hold *hold);

/* Drops what is kept. */
void hold_flush(struct hold *hold);
void hold_set_limits(struct hold *hold, const struct hold_limits *limits);

/* True: the message, whose sent_ns is set, is to be sent. False: it was kept or destroyed. */
MUST_USE bool hold_pass(struct hold *hold, struct ring_message *message, uint64_t now_ns);

/* True: there are viewers from now on, and nothing is kept that they could start with: a random
 * access is wanted. What is kept is to be taken by hold_take. */
bool hold_watch(struct hold *hold, bool watched, uint64_t now_ns);

/* From now on nothing is sent but a random access and what follows it, which is wanted. */
void hold_await(struct hold *hold, uint64_t now_ns);

/* True: a random access is still waited for, and to be asked for again. */
bool hold_asks_again(struct hold *hold, uint64_t now_ns);

/* The oldest message that is kept, while it is watched; NULL: none. */
MUST_USE struct ring_message *hold_take(struct hold *hold);
