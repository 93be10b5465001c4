/* Runs the requested scenarios against the floor and the server. Main thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/churn/churn.h"
#include "perf/load/load.h"
#include "perf/target/spawn.h"

enum target {
    TARGET_FLOOR,
    TARGET_SERVER,
    TARGET_SERVER_TLS, /* a spawned server over TLS, in addition to or instead of the plain one */
    TARGET_COUNT,
};

const char *measurement_target_text(enum target target);

enum verdict {
    VERDICT_VALID,
    VERDICT_GENERATOR_LATE, /* this machine could not keep the pace */
    VERDICT_SERVER_LATE,    /* the server did not keep the pace */
    VERDICT_WRONG,          /* lost, damaged or misdelivered messages, or cut connections */
    VERDICT_COUNT,
};

const char *measurement_verdict_text(enum verdict verdict);

struct measurement {
    struct scenario scenario;
    enum target target;
    unsigned round;    /* from 0 */
    unsigned threads;  /* of the generator */
    unsigned workers;  /* of a spawned server; 0: not known */
    bool has_usage;    /* the server's process is known */
    uint64_t ready_ns; /* of a spawned server: from its start until it accepted; else 0 */
    struct load_result result;
    bool has_churn;
    struct churn_counts churn;
};

enum verdict measurement_verdict(const struct measurement *measurement);

/* Processor seconds per 10⁹ bytes and microseconds per message delivered; 0 without usage. */
double measurement_cpu_s_per_gb(const struct measurement *measurement);
double measurement_cpu_us_per_message(const struct measurement *measurement);

/* Share of the server's workers that was busy in the window; of one CPU where their number is not
 * known. */
double measurement_busy_percent(const struct measurement *measurement);

/* Private memory that each connection added, in bytes; may be negative. */
double measurement_bytes_per_connection(const struct measurement *measurement);

/* Likewise after the window, as the kernel counts pages. */
double measurement_private_per_connection(const struct measurement *measurement);
double measurement_pss_per_connection(const struct measurement *measurement);

struct measurements {
    struct measurement *items; /* owned; scenario by scenario, round by round */
    unsigned count;
};

/* Performs all runs; progress goes to stderr. Returns 0, or -errno with a reason in error;
 * *ret_measurements holds what was measured so far in either case. */
MUST_USE int measurement_run_all(const struct bench_settings *settings,
                                 struct measurements *ret_measurements,
                                 char error[static SPAWN_ERROR_SIZE]);

void measurement_release_all(struct measurements *measurements);
