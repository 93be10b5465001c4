#include "server/loop/run_clock.h"

#include "base/clock.h"
#include "server/limits.h"

uint64_t run_clock_at(const struct run_clock *clock, uint64_t monotonic_ms)
{
    return monotonic_ms - atomic_load_explicit(&clock->paused_ms, memory_order_relaxed);
}

uint64_t run_clock_ms(const struct run_clock *clock)
{
    return run_clock_at(clock, clock_monotonic_ms());
}

uint64_t run_clock_look(struct run_clock *clock, uint64_t expected_ms, uint64_t now_ms)
{
    uint64_t known_ms = atomic_load_explicit(&clock->known_until_ms, memory_order_relaxed);

    if (now_ms < expected_ms + PAUSE_MS_MIN) {
        return 0;
    }
    /* All workers wake from the same pause; each part of it is added by the one that claims it. */
    do {
        if (known_ms >= now_ms) {
            return 0;
        }
    } while (!atomic_compare_exchange_weak(&clock->known_until_ms, &known_ms, now_ms));
    uint64_t pause_ms = now_ms - (expected_ms > known_ms ? expected_ms : known_ms);

    atomic_fetch_add(&clock->paused_ms, pause_ms);
    return pause_ms;
}
