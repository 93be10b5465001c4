/* All runs of joins that the settings ask for, each at a relay that is spawned for it. Main thread.
 */
#pragma once

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/join/join.h"
#include "perf/measurement.h"
#include "perf/target/spawn.h"

struct joins_visit {
    enum target target;
    unsigned round; /* from 0 */
    struct join_result result;
};

struct joins {
    struct footage footage; /* owned */
    size_t cut_bytes;
    struct joins_visit *items; /* owned; round by round */
    unsigned count;
};

/* Progress goes to stderr. Returns 0, or -errno with a reason in error; *ret_joins holds what was
 * measured so far. Release it in both cases. */
MUST_USE int joins_run(const struct bench_settings *settings, struct joins *ret_joins,
                       char error[static SPAWN_ERROR_SIZE]);

/* All saw a picture, and began with a key picture. */
bool joins_are_right(const struct joins *joins);

void joins_release(struct joins *joins);
