/* All crowds that the settings ask for, each at a relay that is spawned for it. Main thread. */
#pragma once

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/crowd/crowd.h"
#include "perf/measurement.h"
#include "perf/target/spawn.h"

struct crowd_visit {
    enum target target;
    unsigned round; /* from 0 */
    struct crowd_result result;
};

struct crowds {
    unsigned viewers;
    double within_s;
    struct crowd_visit *items; /* owned; round by round */
    unsigned count;
};

/* Progress goes to stderr. Returns 0, or -errno with a reason in error; *ret_crowds holds what was
 * measured so far. Release it in both cases. */
MUST_USE int crowds_run(const struct bench_settings *settings, struct crowds *ret_crowds,
                        char error[static SPAWN_ERROR_SIZE]);

/* All were let in, and all had the message. */
bool crowds_are_in(const struct crowds *crowds);

void crowds_release(struct crowds *crowds);
