/* Messages that wait for one consumer, bounded in number, bytes and age: the oldest are dropped
 * first. One thread, or under its owner's lock. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "host/feed/parcel.h"

enum parcel_queue_limits {
    PARCEL_QUEUE_MESSAGES_MAX = 4096,
    PARCEL_QUEUE_BYTES_MAX = 16 * 1024 * 1024,
};

struct parcel_queue {
    struct parcel **slots; /* PARCEL_QUEUE_MESSAGES_MAX; made with the first message */
    size_t head, count;
    size_t bytes;
    uint64_t age_max_ms; /* 0: no limit */
    uint64_t dropped;
};

void parcel_queue_init(struct parcel_queue *queue, uint64_t age_max_ms);
void parcel_queue_deinit(struct parcel_queue *queue);

/* Takes over a reference. False: no memory, and the message was dropped. */
bool parcel_queue_push(struct parcel_queue *queue, struct parcel *message);

/* The oldest that is not too old, with its reference; NULL when there is none. */
MUST_USE struct parcel *parcel_queue_pop(struct parcel_queue *queue, uint64_t now_ms);
