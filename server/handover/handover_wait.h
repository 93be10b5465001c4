/* How long one program waits for the other. Main thread only; blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum handover_wait_limits { HANDOVER_LOOK_MS = 100, HANDOVER_PAUSE_MS = 2 };

struct handover_wait {
    uint64_t deadline_ms;         /* of clock_monotonic_ms */
    bool (*go_on)(void *context); /* every HANDOVER_LOOK_MS; false: give up. NULL: nothing */
    void *context;                /* of go_on */
};

/* Until the descriptor (-1: none) has one of the events (poll(2)), at which it looks once even
 * after the deadline. 0; -ETIMEDOUT; -ECANCELED: given up. */
MUST_USE int handover_wait_for(const struct handover_wait *wait, int fd, short events);

/* HANDOVER_PAUSE_MS, for what has no descriptor to wait for; it looks at no deadline. 0;
 * -ECANCELED: given up. */
MUST_USE int handover_wait_a_moment(const struct handover_wait *wait);
