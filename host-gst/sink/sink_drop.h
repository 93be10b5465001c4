/* Decides what gives way when the network is slower than the stream: the limits of the client's
 * queue, from the user's settings and from what the stream carries. It is asked before a message
 * goes to the publisher, which only carries the limits out. Owned by the element, guarded by its
 * object lock; needs no GStreamer, and nothing here waits. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "client/relay_client.h"
#include "host-gst/sink/sink_settings.h"

struct sink_drop {
    bool independent; /* messages do not depend on earlier ones: pictures, data */
};

struct sink_drop_limits {
    enum relay_client_drop drop;
    uint64_t bytes_max;
    uint64_t age_max_ms;       /* 0: none */
    bool waits;                /* for room instead of dropping */
    bool on_demand;            /* everything, while there are no viewers */
    bool waits_for_connection; /* too: a message is queued while there is none */
};

/* A new stream: a video, until it shows otherwise. */
void sink_drop_init(struct sink_drop *drop);

/* Before each message. True: the limits are others from now on. */
bool sink_drop_see(struct sink_drop *drop, bool independent);

void sink_drop_limits(const struct sink_drop *drop, const struct sink_settings *settings,
                      struct sink_drop_limits *ret_limits);
