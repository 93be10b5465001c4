/* Messages waiting for one connection, oldest first, as references (struct share). Bounded by
 * messages, bytes and age: when full, the oldest that is not yet being sent makes room, because a
 * viewer wants what is happening now; each loss is counted. The first entries may be in flight: the
 * kernel has them, they stay until they are sent; that is never more than half of the bound, so
 * that there is a place for the newest. Holds one reference for each entry. Owner worker only;
 * never blocks. Storage is a few inline places, and a block while more wait. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "server/hub/message.h"
#include "server/limits.h"

/* Same for all queues; from the options. */
struct send_queue_bounds {
    uint32_t messages_max; /* one more when all of them are in flight (1 may wait behind 1) */
    uint64_t bytes_max;    /* one larger message still passes when nothing else waits */
    uint64_t age_ms_max;   /* 0: none */
};

struct send_queue {
    struct share **entries; /* inline_entries or a block; a ring */
    struct share *inline_entries[SEND_QUEUE_INLINE];
    uint64_t bytes;        /* of all entries */
    uint64_t payload_sent; /* of data messages, over the whole life */
    uint32_t sent_offset;  /* bytes of the first entry that are sent */
    uint16_t capacity, head, count;
    uint16_t in_flight; /* entries at the head that the kernel has */
};

void send_queue_init(struct send_queue *queue);

/* Drops everything. Nothing may be in flight. */
void send_queue_clear(struct send_queue *queue, struct worker *worker);

/* Drops all that is not in flight, partly sent or an HTTP answer (the 101 may still wait); for a
 * connection that will only say goodbye. */
void send_queue_drop_waiting(struct send_queue *queue, struct worker *worker);

/* Takes a reference of its own. False when it was not taken (memory, or control frames beyond
 * SEND_QUEUE_CONTROL); counted. */
bool send_queue_push(struct send_queue *queue, struct worker *worker,
                     const struct send_queue_bounds *bounds, struct share *share);

/* When PONGS_QUEUED_MAX pongs wait already, the newest of them gives its place to this one, which
 * is the answer that counts (RFC 6455 §5.5.3). False when fewer wait: then push it. */
bool send_queue_replace_pong(struct send_queue *queue, struct worker *worker, struct share *share);

bool send_queue_empty(const struct send_queue *queue);

/* Drops what became too old, then describes the next send in slices (at most slices_max, half of
 * the bounds, SEND_BYTES_MAX bytes; one larger message goes alone) and marks it as in flight.
 * Returns the number of slices. Nothing may be in flight. */
unsigned send_queue_begin(struct send_queue *queue, struct worker *worker,
                          const struct send_queue_bounds *bounds, struct iovec *slices,
                          unsigned slices_max);

/* The kernel took len bytes of what was begun, perhaps not all; nothing is in flight any more.
 * Returns the number of messages that are completely sent, control frames not counted. */
unsigned send_queue_end(struct send_queue *queue, struct worker *worker, size_t len);
