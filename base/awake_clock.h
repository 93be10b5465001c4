/* A clock for deadlines that somebody else has to meet. It stands still while this process could
 * not run: while it was stopped, or its machine was paused, moved or restored from a snapshot. Time
 * in which an answer could not be read is no time in which it was late. Pure: time comes from the
 * caller. One thread. */
#pragma once

#include <stdint.h>

enum awake_clock_times {
    /* The longest wait while a deadline runs: of a freeze during a wait, no more is counted. */
    AWAKE_CLOCK_STEP_MS = 1000,
    /* Between two advances, for the work of a turn. */
    AWAKE_CLOCK_WORK_MS = 100,
};

struct awake_clock {
    uint64_t now_ms;
    uint64_t real_ms; /* clock_monotonic_ms at the last advance */
};

void awake_clock_init(struct awake_clock *clock, uint64_t real_ms);

/* The caller waited since the last advance for wait_ms at most (UINT64_MAX: without limit). Returns
 * the time now: later by what has passed since, or by wait_ms and AWAKE_CLOCK_WORK_MS if that is
 * less. */
uint64_t awake_clock_advance(struct awake_clock *clock, uint64_t real_ms, uint64_t wait_ms);
