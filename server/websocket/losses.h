/* The losses of a viewer that is slow: told in the log, and bounded for data
 * (RELAY_DATA_LOSSES): one that loses more in a minute is no viewer, and is closed with 1008. Owner
 * worker only; never blocks. */
#pragma once

#include <stdint.h>

#include "server/hub/subscriber.h"

enum losses_limits { LOSSES_WINDOW_MS = 60 * 1000 };

/* All zero: none. */
struct losses {
    uint64_t began_ms; /* of the minute that is counted */
    uint64_t before;   /* lost before it */
    uint64_t seen;
    bool are_too_many;
};

/* struct subscriber.on_dropped of a WebSocket. It may be in the middle of a fan-out: the connection
 * is closed with the next look of its deadlines, which is soon. */
void losses_on_dropped(struct subscriber *subscriber);
