/* All encounters that the settings ask for, one after the other. Main thread. */
#pragma once

#include "base/attributes.h"
#include "perf/neighbour/encounter.h"

struct encounters {
    struct encounter *items; /* owned; attack by attack, round by round */
    unsigned count;
};

/* Progress goes to stderr. Returns 0 with all of them, of which some may have failed, or -errno
 * with a reason in error. Release them in both cases. */
MUST_USE int encounters_run(const struct bench_settings *settings,
                            struct encounters *ret_encounters, char error[static SPAWN_ERROR_SIZE]);

void encounters_release(struct encounters *encounters);
