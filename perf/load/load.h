/* One measured run: connects publishers and viewers, sends at an even pace, reads and checks what
 * arrives, and samples the server's accounting at both ends of the measured window. One thread,
 * one epoll; a slow read never delays a due send by more than one receive call. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "perf/load/histogram.h"
#include "perf/scenario.h"
#include "perf/target/process.h"

enum load_limits {
    LOAD_CUT_SIZE = 192,
    LOAD_LATE_AFTER_MS = 2,  /* or the interval of one publisher, where that is longer */
    LOAD_SKIP_AFTER_MS = 10, /* likewise; older slots are left out, not sent in a burst */
    LOAD_DRAIN_MS = 2000,    /* time for what is under way at the end of the window */
    LOAD_PROBES_PER_S = 10,  /* pings to the server where nothing is published */
};

struct load_config {
    struct scenario scenario;
    struct connector connector;
    struct process_set server;
    uint64_t warmup_ns;
    uint64_t window_ns;
    bool (*may_start)(void *ctx); /* asked, once all are connected, until it says so; must not
                                   * block; NULL: at once */
    void *may_start_ctx;
    void (*on_window)(void *ctx); /* called at the window's start; must not block; NULL: nothing */
    void *on_window_ctx;
};

/* All counts are of the measured window but for `whole_run`. */
struct load_result {
    uint64_t window_ns;
    uint64_t planned;              /* messages that the rate asks for */
    uint64_t published;            /* messages begun */
    uint64_t delivered;            /* messages received, all viewers together */
    uint64_t delivered_bytes;      /* their payload */
    uint64_t late;                 /* sent after LOAD_LATE_AFTER_MS: this machine was too slow */
    uint64_t skipped;              /* not sent at all: this machine was far too slow */
    uint64_t held;                 /* not sent: the server had not taken the one before, or had
                                    * ended the connection */
    uint64_t own_cpu_ns;           /* of the thread that generates it */
    char first_cut[LOAD_CUT_SIZE]; /* how the server first ended a connection; empty: never */

    struct {
        uint64_t published;
        uint64_t expected; /* messages the viewers should have received */
        uint64_t received;
        uint64_t lost;
        uint64_t out_of_order; /* repeated, or after one that was published later */
        uint64_t foreign;      /* of another topic or run, or to a publisher */
        uint64_t damaged;      /* not a multiple of the message size, or not binary */
        uint64_t merged;       /* received as parts of a longer message */
        uint64_t fragmented;   /* received in more than one frame */
        uint64_t closed;       /* connections that the server ended */
        uint64_t pings;        /* of the server, which the generator answers */
        uint64_t probes;       /* pings to the server, where nothing is published */
        uint64_t probes_answered;
    } whole_run;

    struct {
        struct process_usage before; /* any connection was made */
        struct process_usage connected;
        struct process_usage window_start;
        struct process_usage window_end;
    } server;

    struct histogram latency_ns; /* of messages, or probes until their pongs, sent within it */
};

/* Returns 0, or -errno with a reason in error when the run could not be made. Whether the figures
 * are to be trusted is for the caller to judge by the counts. */
MUST_USE int load_run(const struct load_config *config, struct load_result *ret_result,
                      char error[static LOAD_TRANSPORT_ERROR_SIZE]);
