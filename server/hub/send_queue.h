/* Messages waiting for one connection, oldest first, as references (struct share). The queue is
 * bounded by messages, bytes (never more than is left of the message memory) and age: when full,
 * the oldest is dropped, because viewers want the present; each loss is counted. The first entries
 * may be in flight: the kernel has them, they stay until they are sent, and do not count
 * (SEND_SLICES_MAX of SEND_BYTES_MAX bytes, or one larger message). If nothing is in flight or
 * begun, the viewer has taken everything: then SEND_BURST_MAX messages may wait for the end of the
 * turn. Holds one reference for each entry. Owner worker only; never blocks. Storage is a few
 * inline places, and a block while more are waiting. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "server/hub/message.h"
#include "server/limits.h"

/* Same for all queues; from the options. */
struct send_queue_bounds {
    uint32_t messages_max;
    uint64_t bytes_max;  /* a larger message is accepted when nothing else is waiting */
    uint64_t age_ms_max; /* 0: none */
};

struct send_queue {
    struct share **entries; /* inline_entries or a block; a ring */
    struct share *inline_entries[SEND_QUEUE_INLINE];
    uint64_t bytes;        /* of all entries */
    uint64_t payload_sent; /* of data messages, over the whole lifetime */
    uint32_t sent_offset;  /* bytes of the first entry already sent */
    uint16_t capacity, head, count;
    uint16_t in_flight; /* entries at the head that are in flight */
};

void send_queue_init(struct send_queue *queue);

/* Drops everything. Nothing may be in flight. */
void send_queue_clear(struct send_queue *queue, struct worker *worker);

/* Drops everything that is not in flight, partly sent or an HTTP response (the 101 may still wait);
 * for a connection that will only send its Close. */
void send_queue_drop_waiting(struct send_queue *queue, struct worker *worker);

/* Takes a reference of its own. False when it was not taken (memory, or control frames beyond
 * SEND_QUEUE_CONTROL); counted. */
bool send_queue_push(struct send_queue *queue, struct worker *worker,
                     const struct send_queue_bounds *bounds, struct share *share);

/* When PONGS_QUEUED_MAX pongs are waiting already, replaces the newest of them, as only the latest
 * ping needs an answer (RFC 6455 §5.5.3). False when fewer are waiting: then push it. */
bool send_queue_replace_pong(struct send_queue *queue, struct worker *worker, struct share *share);

/* Drops entries that waited longer than the bound; nothing else does while a send is in flight. */
void send_queue_drop_old(struct send_queue *queue, struct worker *worker,
                         const struct send_queue_bounds *bounds);

bool send_queue_empty(const struct send_queue *queue);

/* Drops entries that became too old, then describes the next send in slices (at most slices_max,
 * SEND_BYTES_MAX bytes unless one message is larger) and marks it as in flight. Returns the number
 * of slices. Nothing may be in flight. */
unsigned send_queue_begin(struct send_queue *queue, struct worker *worker,
                          const struct send_queue_bounds *bounds, struct iovec *slices,
                          unsigned slices_max);

/* Call when the kernel has taken len bytes of the send, perhaps not all; nothing is in flight any
 * more. Returns the number of messages that are completely sent, control frames not counted. */
unsigned send_queue_end(struct send_queue *queue, struct worker *worker, size_t len);
