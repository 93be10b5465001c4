/* Relays that are spawned for one run each, and sessions with them. Main thread; blocks. */
#pragma once

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/load/load_session.h"
#include "perf/measurement.h"
#include "perf/target/spawn.h"

/* One run, with a relay of its own. */
struct spawned_session {
    enum target target;
    unsigned round; /* from 0 */
    struct load_session session;
    struct process_set server;
};

/* 0 or -errno with a reason in error. */
typedef int spawned_session_fn(void *ctx, struct spawned_session *spawned,
                               char error[static SPAWN_ERROR_SIZE]);

/* Calls run for each round and target of the settings, the relay being up as long as that takes.
 * what: for the progress, which goes to stderr. Stops at the first failure: 0, or -errno with a
 * reason in error. */
MUST_USE int spawned_session_run_all(const struct bench_settings *settings, const char *what,
                                     spawned_session_fn *run, void *ctx,
                                     char error[static SPAWN_ERROR_SIZE]);
