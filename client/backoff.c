#include "client/backoff.h"

#include "base/check.h"

void backoff_init(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms)
{
    *backoff = (struct backoff){0};
    backoff_set_delays(backoff, delay_ms, delay_max_ms);
}

void backoff_set_delays(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms)
{
    CHECK(delay_ms > 0);
    CHECK(delay_max_ms >= delay_ms);
    backoff->delay_ms = delay_ms;
    backoff->delay_max_ms = delay_max_ms;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
}

/* Uniform in 0…bound. */
static uint64_t scale(uint32_t random, uint64_t bound_ms)
{
    return (random * (bound_ms + 1)) >> 32;
}

static uint64_t bound_ms(const struct backoff *backoff)
{
    uint64_t bound = backoff->delay_ms;

    for (uint32_t i = 0; i < backoff->failures && bound < backoff->delay_max_ms; i++) {
        bound *= 2;
    }
    return bound < backoff->delay_max_ms ? bound : backoff->delay_max_ms;
}

uint64_t backoff_next_ms(struct backoff *backoff, bool refused, uint64_t retry_after_ms,
                         uint32_t random)
{
    uint64_t delay_ms = scale(random, bound_ms(backoff));

    if (refused) {
        delay_ms = backoff->delay_max_ms - scale(random, backoff->delay_max_ms / 4);
    }
    if (retry_after_ms > BACKOFF_RETRY_AFTER_MAX_MS) {
        retry_after_ms = BACKOFF_RETRY_AFTER_MAX_MS;
    }
    if (delay_ms < retry_after_ms) {
        /* Clients given the same second still spread out. */
        delay_ms = retry_after_ms + scale(random, backoff->delay_ms);
    }
    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    return delay_ms;
}
