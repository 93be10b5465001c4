/* Viewers that come and go while topics are streamed: each joins at its time, sees one message, and
 * leaves; on threads of their own. Main thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"

enum churn_limits {
    CHURN_THREADS = 16, /* so many are there at a time at most */
    CHURN_RATE_MAX = 1000,
};

struct churn_config {
    struct connector connector; /* used by all threads at once */
    unsigned topics;            /* they take them in turns */
    size_t record_bytes;        /* of each message */
    uint64_t every_ns;          /* between two messages of a topic */
    unsigned rate;              /* viewers a second, evenly */
    uint64_t window_ns;         /* for which they come */
};

struct churn_counts {
    uint64_t came;     /* each of them saw a message */
    uint64_t unserved; /* came so late that the window ended before a message */
    uint64_t failed;
    char failure[LOAD_TRANSPORT_ERROR_SIZE]; /* the first reason; empty: none failed */
    uint64_t behind_ns;                      /* most that one began after its time */
    struct histogram join_ns;                /* from its time to its 101 */
    struct histogram first_ns;               /* from the 101 to the end of its first message */
};

struct churn;

/* Threads that wait. NULL: no memory, or not even one thread. */
struct churn *churn_start(const struct churn_config *config);

/* The first viewer comes now. Does not block; ctx: a struct churn. */
void churn_go(void *ctx);

/* Waits until the last viewer has left; when it never began, until no thread waits. */
void churn_end(struct churn *churn, struct churn_counts *ret_counts);
