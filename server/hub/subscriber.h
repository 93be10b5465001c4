/* The hub's view of a connection: its place in a topic, its send queue, what it loses when it is
 * slow, and how to notify it of a new entry, of a loss, or of room for what it publishes. Embedded
 * in the connection; owner worker only. */
#pragma once

#include "base/list.h"
#include "server/hub/lag/lag.h"
#include "server/hub/send_queue.h"
#include "server/stats/topic_counts.h"
#include "wire/subprotocol/relay_v1.h"

enum subscriber_state {
    SUBSCRIBER_LIVE,       /* gets what is published */
    SUBSCRIBER_JOINING,    /* an answer is on its way (hub/stream_join.h) */
    SUBSCRIBER_CATCHES_UP, /* live, but for older messages of the answer's worker */
    SUBSCRIBER_AWAITS_KEY, /* goes on with the next key picture */
};

enum { SUBSCRIBER_NO_HOME = WORKERS_MAX };

struct subscriber {
    struct list node; /* in its topic's part, while subscribed */
    struct send_queue queue;
    struct lag lag;
    struct topic_counts *counts;                       /* its worker's, of its topic; or NULL */
    void (*on_queued)(struct subscriber *subscriber);  /* the queue is no longer empty */
    void (*on_dropped)(struct subscriber *subscriber); /* lag.dropped grew; or NULL */
    /* It waits for a key picture; or NULL. Queues nothing. */
    void (*on_wants_key)(struct subscriber *subscriber, enum relay_v1_key_reason reason);
    struct list room_node; /* among the publishers of its topic that wait for room */
    void (*on_room)(struct subscriber *subscriber); /* it waits no longer; publishes nothing yet */
    enum subscriber_state state;
    bool has_missed;  /* while JOINING: of a stream that is not in the answer */
    bool has_picture; /* while JOINING: one that needs no other, of another worker */
    bool has_skipped; /* while JOINING: of a stream of joined_home, up to skipped_number */
    uint32_t skipped_number;
    uint16_t joined_home;   /* the worker that is asked, or SUBSCRIBER_NO_HOME */
    uint32_t joined_number; /* it has what that worker published up to this one */
    struct stream_join *join;
    uint64_t awaits_since_ms; /* a key picture; see hub/lag/key_wait.h */
};
