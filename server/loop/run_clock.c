#include "server/loop/run_clock.h"

enum {
    LOOK_EVERY_MS = 50, /* finer resolution is not worth the shared cache line */
    GAP_MS_MIN = WAIT_MS_MAX + PAUSE_MS_MIN,
};

void run_clock_init(struct run_clock *clock, uint64_t monotonic_ms)
{
    pthread_mutex_init(&clock->mutex, NULL);
    atomic_store(&clock->paused_ms, 0);
    atomic_store(&clock->looked_ms, monotonic_ms);
}

void run_clock_deinit(struct run_clock *clock)
{
    pthread_mutex_destroy(&clock->mutex);
}

uint64_t run_clock_at(const struct run_clock *clock, uint64_t monotonic_ms)
{
    return monotonic_ms - atomic_load_explicit(&clock->paused_ms, memory_order_relaxed);
}

/* Time since the last look of any worker; an earlier reading is not a gap. */
static uint64_t gap_ms(const struct run_clock *clock, uint64_t monotonic_ms)
{
    uint64_t looked_ms = atomic_load_explicit(&clock->looked_ms, memory_order_acquire);

    return monotonic_ms > looked_ms ? monotonic_ms - looked_ms : 0;
}

/* The pause is added before the look is published: a worker that no longer sees a gap sees the
 * corrected time. */
static uint64_t add_pause(struct run_clock *clock, uint64_t monotonic_ms)
{
    pthread_mutex_lock(&clock->mutex);
    uint64_t pause_ms = gap_ms(clock, monotonic_ms);

    if (pause_ms >= GAP_MS_MIN) {
        atomic_fetch_add_explicit(&clock->paused_ms, pause_ms, memory_order_relaxed);
        atomic_store_explicit(&clock->looked_ms, monotonic_ms, memory_order_release);
    } else {
        pause_ms = 0; /* another worker was first */
    }
    pthread_mutex_unlock(&clock->mutex);
    return pause_ms;
}

uint64_t run_clock_look(struct run_clock *clock, uint64_t monotonic_ms, uint64_t *ret_pause_ms)
{
    uint64_t gap = gap_ms(clock, monotonic_ms);

    *ret_pause_ms = 0;
    if (gap >= GAP_MS_MIN) {
        *ret_pause_ms = add_pause(clock, monotonic_ms);
    } else if (gap >= LOOK_EVERY_MS) {
        uint64_t looked_ms = monotonic_ms - gap;

        /* If it fails, another worker has looked. */
        atomic_compare_exchange_strong(&clock->looked_ms, &looked_ms, monotonic_ms);
    }
    return run_clock_at(clock, monotonic_ms);
}
