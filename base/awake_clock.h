/* A clock for deadlines that a peer has to meet. It stands still while this process cannot run:
 * while it is stopped, or its machine is paused, migrated or restored from a snapshot. A peer is
 * not late during time in which its answer could not be read. Pure: time comes from the caller. One
 * thread. */
#pragma once

#include <stdint.h>

enum awake_clock_times {
    /* The longest wait while a deadline runs: a freeze during a wait counts as at most this. */
    AWAKE_CLOCK_STEP_MS = 1000,
    /* Allowance for the work of a turn between two advances. */
    AWAKE_CLOCK_WORK_MS = 100,
};

struct awake_clock {
    uint64_t now_ms;
    uint64_t real_ms; /* clock_monotonic_ms at the last advance */
};

void awake_clock_init(struct awake_clock *clock, uint64_t real_ms);

/* The caller waited for at most wait_ms since the last advance (UINT64_MAX: without limit). Returns
 * the time now, advanced by the elapsed time, or by wait_ms + AWAKE_CLOCK_WORK_MS if that is
 * less. */
uint64_t awake_clock_advance(struct awake_clock *clock, uint64_t real_ms, uint64_t wait_ms);
