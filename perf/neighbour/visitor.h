/* A visitor of the relay during an attack: again and again it joins a topic and leaves, asks for
 * the statistics and denies a booking, and takes the time of each. In a process of its own, since
 * each waits for the server. Main thread. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/load_session.h"
#include "perf/neighbour/child.h"

enum visit {
    VISIT_JOIN,   /* POST, upgrade */
    VISIT_STATUS, /* GET /status with relay:stats */
    VISIT_DENY,   /* POST /bids/deny with relay:admin */
    VISIT_COUNT,
};

const char *visitor_visit_text(enum visit visit);

struct visit_result {
    uint64_t count;    /* ended, the failed ones included */
    uint64_t failed;   /* refused, or not answered in time */
    uint64_t worst_ns; /* of those that succeeded, and of one that still waits */
    char failure[LOAD_TRANSPORT_ERROR_SIZE]; /* the first reason; empty: none failed */
};

struct visitor_memory;

struct visitor {
    struct child child;
    struct visitor_memory *memory;
};

/* Waits to be let go. The session is copied; its texts outlive the visitor. -errno. */
MUST_USE int visitor_start(struct visitor *visitor, const struct load_session *session, int cpu);

/* Ends it and tells what it has seen. */
void visitor_end(struct visitor *visitor, struct visit_result ret_results[static VISIT_COUNT]);
