/* The clock that all deadlines of the workers count by: monotonic time without the pauses in which
 * the process did not run (a virtual machine that was stopped, saved or moved; SIGSTOP). A pause
 * shows as a worker that looks again long after the moment it asked to be woken. So it uses up no
 * peer's time: what arrived meanwhile is read first, and what was not yet due has as long as
 * before. One for all workers, because times of one are compared by others (age of messages,
 * codes). Any thread; never blocks. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

struct run_clock {
    _Atomic uint64_t paused_ms;      /* in all */
    _Atomic uint64_t known_until_ms; /* of clock_monotonic_ms: pauses before it are in paused_ms */
};

/* Of this clock, for a reading of clock_monotonic_ms. */
uint64_t run_clock_at(const struct run_clock *clock, uint64_t monotonic_ms);

/* Now. */
uint64_t run_clock_ms(const struct run_clock *clock);

/* A worker that meant to look again at expected_ms does so only at now_ms, both of
 * clock_monotonic_ms. Returns how long a pause it found that was not known yet, in ms: 0 below
 * PAUSE_MS_MIN, and when another worker told of the same one. */
uint64_t run_clock_look(struct run_clock *clock, uint64_t expected_ms, uint64_t now_ms);
