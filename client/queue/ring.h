/* The bounded queue of outgoing messages: whole messages, in order. Messages at the front that the
 * WebSocket has begun are "in flight": only ring_release and ring_rewind touch them, so their bytes
 * may be read without the lock. Not thread-safe: the client's mutex guards it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/queue/preamble.h"
#include "client/relay_client.h"
#include "wire/subprotocol/relay_v1.h"

struct ring_message {
    uint64_t sent_ns;    /* by the application; monotonic, as all times */
    uint64_t queued_ns;  /* when it came into the ring */
    uint64_t end_offset; /* where its frame ends in the connection's stream; set in flight */
    size_t len;
    enum relay_client_type type;
    bool random_access;
    bool on_demand;
    struct preamble *preamble;                /* a reference, or NULL */
    struct ring_message *next;                /* while it is held (hold.h) */
    uint8_t envelope[RELAY_V1_ENVELOPE_SIZE]; /* in front of the data, for relay.v1 */
    uint8_t data[];
};

struct ring_limits {
    uint64_t bytes_max;
    uint32_t messages_max;
    uint64_t age_max_ns; /* 0: none */
    enum relay_client_drop drop;
};

enum ring_cause { RING_OVERFLOW, RING_AGE, RING_DISCONNECTED, RING_FLUSHED, RING_CAUSE_COUNT };

struct ring {
    struct ring_limits limits;
    struct ring_message **slots; /* messages_max of them */
    uint32_t head;
    uint32_t count;
    uint32_t in_flight; /* of count, at the head */
    uint64_t bytes;
    bool awaits_random_access;      /* true exactly while messages are dropped until a random access
                                     * comes */
    enum ring_cause awaiting_cause; /* the cause of those drops */
    uint64_t dropped_messages[RING_CAUSE_COUNT];
    uint64_t dropped_bytes;
};

/* 0 or -ENOMEM. */
MUST_USE int ring_init(struct ring *ring, const struct ring_limits *limits);
void ring_deinit(struct ring *ring);

/* Applies everything but messages_max, to future messages and to those waiting. */
void ring_set_limits(struct ring *ring, const struct ring_limits *limits);

/* A message of its own memory, for ring_push or ring_message_destroy. NULL: no memory. */
MUST_USE struct ring_message *ring_message_create(enum relay_client_type type,
                                                  const struct relay_client_slice *slices,
                                                  size_t slices_count, size_t len, unsigned flags);

/* Releases its preamble, too. */
void ring_message_destroy(struct ring_message *message);

/* True when a message of len bytes fits as it is; always when the ring is empty. */
bool ring_has_room(const struct ring *ring, size_t len);

/* Takes the message, making room as the drop policy says: 0. -EAGAIN: not taken, the caller keeps
 * the message; counted as dropped unless the policy is RELAY_CLIENT_DROP_NONE. */
MUST_USE int ring_push(struct ring *ring, struct ring_message *message, uint64_t now_ns);

/* Removes the oldest message that is on demand and not in flight; NULL: there is none. */
MUST_USE struct ring_message *ring_take_on_demand(struct ring *ring);

/* Counts a message that was never pushed. */
void ring_count_drop(struct ring *ring, size_t len, enum ring_cause cause);

/* The next message to send, or NULL. Drops those that are too old first. */
const struct ring_message *ring_next(struct ring *ring, uint64_t now_ns);

/* The same, and marks it as in flight. */
struct ring_message *ring_start(struct ring *ring, uint64_t now_ns);

/* The oldest message in flight, or NULL. */
struct ring_message *ring_oldest_in_flight(const struct ring *ring);

/* Removes the oldest message in flight, which has been sent; the caller destroys it. */
MUST_USE struct ring_message *ring_release(struct ring *ring);

/* Call after the connection is lost: messages in flight, begun or not, wait again as a whole. */
void ring_rewind(struct ring *ring);

/* Drops everything not in flight, counted under the cause; if anything was dropped, then as
 * ring_await_random_access. */
void ring_drop_all(struct ring *ring, enum ring_cause cause);

/* With RELAY_CLIENT_DROP_KEYFRAME, a new connection's first message must be a random access. */
void ring_await_random_access(struct ring *ring, enum ring_cause cause);

/* Age of the oldest message; 0 when empty. */
uint64_t ring_age_ns(const struct ring *ring, uint64_t now_ns);
