/* What the hub knows of a connection: where it stands in a topic, what waits to be sent to it, and
 * how to tell it that something does. Embedded in the connection; owner worker only. */
#pragma once

#include "base/list.h"
#include "server/hub/send_queue.h"

struct subscriber {
    struct list node; /* in its topic's part, while subscribed */
    struct send_queue queue;
    void (*on_queued)(struct subscriber *subscriber); /* the queue is no longer empty */
};
