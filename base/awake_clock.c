#include "base/awake_clock.h"

void awake_clock_init(struct awake_clock *clock, uint64_t real_ms)
{
    *clock = (struct awake_clock){.now_ms = real_ms, .real_ms = real_ms};
}

uint64_t awake_clock_advance(struct awake_clock *clock, uint64_t real_ms, uint64_t wait_ms)
{
    uint64_t elapsed_ms = real_ms - clock->real_ms;
    uint64_t awake_ms =
        wait_ms > UINT64_MAX - AWAKE_CLOCK_WORK_MS ? UINT64_MAX : wait_ms + AWAKE_CLOCK_WORK_MS;

    clock->now_ms += elapsed_ms < awake_ms ? elapsed_ms : awake_ms;
    clock->real_ms = real_ms;
    return clock->now_ms;
}
