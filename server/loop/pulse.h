/* Whether every worker still turns its loop, which it does at least every WAIT_MS_MAX. One thread,
 * not a worker's. */
#pragma once

#include "server/loop/worker.h"

struct pulse {
    uint64_t turns[WORKERS_MAX]; /* of each worker, when it was last felt */
};

/* True when each worker has turned since the last time that this was true. The first time counts
 * turns from the start. *ret_stuck: one that has not, when it returns false. */
bool pulse_feel(struct pulse *pulse, const struct worker_group *group, unsigned *ret_stuck);
