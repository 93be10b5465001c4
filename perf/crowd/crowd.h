/* A lecture hall at the door: many viewers of one topic and one booking, each of which joins at its
 * time on a thread of its own choice, and stays; then one message to all of them. Blocks. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"

enum crowd_limits {
    CROWD_VIEWERS_MAX = 100000,
    CROWD_THREADS = 64, /* so many join at a time at most */
};

struct crowd_config {
    struct connector connector; /* used by all threads at once */
    unsigned viewers;
    uint64_t within_ns; /* they come evenly spread over it */
};

struct crowd_result {
    unsigned joined;
    unsigned refused;
    char refusal[LOAD_TRANSPORT_ERROR_SIZE]; /* the first reason; empty: none was refused */
    uint64_t all_in_ns;                      /* from the first one's time to the last one's 101 */
    uint64_t behind_ns;                      /* most that a viewer began after its time */
    uint64_t message_ns;      /* from the send of one message until all have it; 0: some have not */
    struct histogram join_ns; /* from a viewer's time to its 101 */
};

/* Returns 0, also when some were refused, or -errno with a reason in error. The connections are
 * closed in every case. */
MUST_USE int crowd_run(const struct crowd_config *config, struct crowd_result *ret_result,
                       char error[static LOAD_TRANSPORT_ERROR_SIZE]);
