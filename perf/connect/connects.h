/* All rushes of clients that the settings ask for, each at a relay that is spawned for it. Main
 * thread. */
#pragma once

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/connect/connect.h"
#include "perf/measurement.h"
#include "perf/target/spawn.h"

struct connects_item {
    enum target target;
    unsigned round; /* from 0 */
    enum connect_kind kind;
    struct connect_result result;
};

struct connects {
    unsigned at_once;
    struct connects_item *items; /* owned; round by round, target by target */
    unsigned count;
};

/* Progress goes to stderr. Returns 0, or -errno with a reason in error; *ret_connects holds what
 * was measured so far. Release it in both cases. */
MUST_USE int connects_run(const struct bench_settings *settings, struct connects *ret_connects,
                          char error[static SPAWN_ERROR_SIZE]);

/* None failed. */
bool connects_are_in(const struct connects *connects);

void connects_release(struct connects *connects);
