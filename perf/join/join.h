/* Viewers that join a live stream at random moments, some at a time, and leave when they have seen
 * its first picture. Blocks; threads of its own. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/footage/footage.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"

enum join_limits {
    JOINS_MAX = 100000,
    JOIN_THREADS = 8, /* so many are in at a time at most */
};

struct join_config {
    struct connector connector; /* used by all threads at once */
    const struct footage *footage;
    size_t cut_bytes; /* of a message of the stream; 0: a picture */
    unsigned joins;
    uint64_t window_ns; /* the moments are within it */
    uint64_t seed;      /* of the moments */
};

struct join_result {
    unsigned joined; /* those that saw a picture */
    unsigned failed;
    char failure[LOAD_TRANSPORT_ERROR_SIZE]; /* the first reason; empty: none failed */
    unsigned wrong;            /* of the joined: began with what is no key picture, or broken */
    uint64_t late_ns;          /* most that one began after its moment: all threads were busy */
    uint64_t behind_ns;        /* most that a message of the stream was sent after its time */
    struct histogram open_ns;  /* from the access request to the 101 */
    struct histogram first_ns; /* from the 101 to the last byte of the first picture */
};

/* Returns 0, also when some failed, or -errno with a reason in error. */
MUST_USE int join_run(const struct join_config *config, struct join_result *ret_result,
                      char error[static LOAD_TRANSPORT_ERROR_SIZE]);
