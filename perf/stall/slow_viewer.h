/* A viewer that reads too slowly: first it takes what it begins with, then for a time it reads at a
 * share of the stream's rate, then as fast as it can. On a thread of its own from start to end. */
#pragma once

#include "perf/footage/footage_sender.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"

struct slow_viewer;

/* The receive buffer is small, so that what waits waits at the relay. */
enum slow_viewer_sizes { SLOW_VIEWER_RECEIVE_BYTES = 8 * 1024 };

struct slow_viewer_config {
    const struct connector *connector;
    const struct footage *footage;
    const struct footage_sender *sender;
    unsigned mark; /* of the pictures that count */
    uint64_t stall_ns;
    unsigned percent;
};

struct slow_viewer_result {
    unsigned seen;           /* whole pictures of those that count; the others were dropped */
    unsigned broken;         /* pictures of which it did not get all, and pieces between pictures */
    bool is_cut;             /* the relay ended its connection */
    struct histogram age_ns; /* of those seen, when their last byte came */
};

/* NULL with a reason in error. */
struct slow_viewer *slow_viewer_start(const struct slow_viewer_config *config,
                                      char error[static LOAD_TRANSPORT_ERROR_SIZE]);

/* The time begins. */
void slow_viewer_slow_down(struct slow_viewer *viewer);

/* It leaves. */
void slow_viewer_end(struct slow_viewer *viewer, struct slow_viewer_result *ret_result);
