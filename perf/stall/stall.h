/* Viewers of a live stream beside one that reads too slowly, or not at all for a time: one period
 * without it and one with it, with the same publisher, viewers and relay. Blocks; threads of its
 * own. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/footage/footage.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"
#include "perf/stall/slow_viewer.h"

enum stall_limits {
    STALL_VIEWERS_MAX = 1000,
    STALL_VIEWERS_DEFAULT = 10,
    STALL_GRACE_MS = 300, /* after a period, for what is under way, and before one, for what viewers
                             begin with; its pictures do not count */
};

struct stall_config {
    struct connector connector;
    struct connector slow_connector; /* with SLOW_VIEWER_RECEIVE_BYTES */
    const struct footage *footage;
    size_t cut_bytes; /* of a message of the stream; 0: a picture */
    unsigned viewers; /* others than the slow one */
    bool with_first;  /* the period with it comes before the one without it */
    uint64_t period_ns;
    uint64_t stall_ns; /* from the beginning of a period on it is slow for so long */
    unsigned percent;  /* of the stream's rate that it reads then */
};

struct stall_others {
    unsigned due; /* pictures, all viewers together */
    unsigned seen;
    struct histogram latency_ns; /* from a picture's send to its last byte */
};

struct stall_result {
    struct stall_others without, with;
    unsigned others_broken; /* pictures of which the others did not get all */

    unsigned slow_due; /* pictures sent while the slow one was there */
    struct slow_viewer_result slow;
    uint64_t behind_ns; /* most that a message of the stream was sent after its time */
};

/* Returns 0 or -errno with a reason in error. */
MUST_USE int stall_run(const struct stall_config *config, struct stall_result *ret_result,
                       char error[static LOAD_TRANSPORT_ERROR_SIZE]);
