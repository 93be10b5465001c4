/* The clock that all deadlines of the workers count by: monotonic time without the pauses in which
 * the process did not run (a virtual machine that was stopped, saved or moved; SIGSTOP). Workers
 * look at it at least every WAIT_MS_MAX, so a pause shows as a time in which none did. It uses up
 * no peer's time: what arrived meanwhile is read first, and what was not yet due has as long as
 * before. One for all workers, because times of one are compared by others (age of messages,
 * codes). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

struct run_clock {
    pthread_mutex_t mutex;      /* for the one look that finds a pause */
    _Atomic uint64_t paused_ms; /* in all */
    _Atomic uint64_t looked_ms; /* of clock_monotonic_ms: some worker looked then, or soon after */
};

/* monotonic_ms: a reading of clock_monotonic_ms, here and below. */
void run_clock_init(struct run_clock *clock, uint64_t monotonic_ms);
void run_clock_deinit(struct run_clock *clock);

/* What the clock shows, as far as pauses are known. Any thread, also in a signal handler. */
uint64_t run_clock_at(const struct run_clock *clock, uint64_t monotonic_ms);

/* A worker looks, with a reading made just now: the time, without the pause if this look is the
 * first after one. *ret_pause_ms: its length, for that first look only, else 0. Any thread; blocks
 * only while another one adds a pause. */
uint64_t run_clock_look(struct run_clock *clock, uint64_t monotonic_ms, uint64_t *ret_pause_ms);
