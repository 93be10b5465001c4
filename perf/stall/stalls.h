/* All runs beside a slow viewer that the settings ask for, each at a relay that is spawned for it.
 * Main thread.
 */
#pragma once

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/measurement.h"
#include "perf/stall/stall.h"
#include "perf/target/spawn.h"

struct stalls_visit {
    enum target target;
    unsigned round; /* from 0 */
    struct stall_result result;
};

struct stalls {
    struct footage footage; /* owned */
    size_t cut_bytes;
    struct stalls_visit *items; /* owned; round by round */
    unsigned count;
};

/* Progress goes to stderr. Returns 0, or -errno with a reason in error; *ret_stalls holds what was
 * measured so far. Release it in both cases. */
MUST_USE int stalls_run(const struct bench_settings *settings, struct stalls *ret_stalls,
                        char error[static SPAWN_ERROR_SIZE]);

/* Viewers that read got all, and the slow one nothing broken. */
bool stalls_are_right(const struct stalls *stalls);

void stalls_release(struct stalls *stalls);
