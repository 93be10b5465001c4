/* The hub's view of a connection: its place in a topic, its send queue, and how to notify it of a
 * new entry. Embedded in the connection; owner worker only. */
#pragma once

#include "base/list.h"
#include "server/hub/send_queue.h"

struct subscriber {
    struct list node; /* in its topic's part, while subscribed */
    struct send_queue queue;
    void (*on_queued)(struct subscriber *subscriber); /* the queue is no longer empty */
};
