/* The clock of all the workers' deadlines: monotonic time without the pauses in which the process
 * did not run (a virtual machine that was stopped, saved or migrated; SIGSTOP). Workers look at it
 * at least every WAIT_MS_MAX, so a pause shows as a time in which none did. A pause does not count
 * against peers: data that arrived meanwhile is read first, and deadlines not yet due move by its
 * length. One clock for all workers, because they compare each other's times (age of messages,
 * codes). */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>

enum run_clock_limits {
    WAIT_MS_MAX = 500,  /* of a worker, so that a pause shows */
    PAUSE_MS_MIN = 500, /* beyond that: a shorter one is a busy machine */
};

struct run_clock {
    pthread_mutex_t mutex;      /* for the look that finds a pause */
    _Atomic uint64_t paused_ms; /* in total */
    _Atomic uint64_t looked_ms; /* of clock_monotonic_ms: some worker looked then, or soon after */
};

/* monotonic_ms: a reading of clock_monotonic_ms, here and below. */
void run_clock_init(struct run_clock *clock, uint64_t monotonic_ms);
void run_clock_deinit(struct run_clock *clock);

/* The current time, as far as pauses are known. Any thread, also in a signal handler. */
uint64_t run_clock_at(const struct run_clock *clock, uint64_t monotonic_ms);

/* A look by a worker, with a fresh reading: returns the time, without the pause if this look is the
 * first after one. *ret_pause_ms: its length, for that first look only, otherwise 0. Any thread;
 * blocks only while another one adds a pause. */
uint64_t run_clock_look(struct run_clock *clock, uint64_t monotonic_ms, uint64_t *ret_pause_ms);
