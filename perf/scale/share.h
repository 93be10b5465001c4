/* The rate at which a server is busy to a wished share: found by steps, since a message costs less
 * the more of them there are. Pure arithmetic; any thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "perf/scenario.h"

enum share_limits {
    SHARE_STEPS_MAX = 8,
    SHARE_STEP_MS = 1000, /* for which each rate is tried */
    SHARE_NEAR_PERCENT = 4,
    SHARE_GROWTH_MAX = 4, /* of the rate, in one step */
};

/* Messages a second and topic to begin with: few enough for any machine. */
unsigned share_rate_first(const struct scenario *scenario);

/* Both in percent of all of the server's workers. */
bool share_is_near(double percent, double wanted_percent);

/* The rate to try after one with which the server was busy to that share. is_late: the server or
 * the generator did not keep the pace, so the share says nothing. A rate that a scenario may have,
 * and not the same again unless it is the last of these. */
unsigned share_rate_next(unsigned rate, double percent, double wanted_percent, bool is_late);
