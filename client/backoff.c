#include "client/backoff.h"

#include "base/check.h"

void backoff_init(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms)
{
    *backoff = (struct backoff){.quick_ms = BACKOFF_QUICK_TOTAL_MS};
    backoff_set_delays(backoff, delay_ms, delay_max_ms);
}

void backoff_set_delays(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms)
{
    CHECK(delay_ms > 0);
    CHECK(delay_max_ms >= delay_ms);
    backoff->delay_ms = delay_ms;
    backoff->delay_max_ms = delay_max_ms;
}

void backoff_set_steady(struct backoff *backoff, bool is_steady)
{
    backoff->is_steady = is_steady;
}

void backoff_reset(struct backoff *backoff)
{
    backoff->failures = 0;
    backoff->quick_ms = BACKOFF_QUICK_TOTAL_MS;
}

/* Uniform in 0…bound. */
static uint64_t scale(uint32_t random, uint64_t bound_ms)
{
    return (random * (bound_ms + 1)) >> 32;
}

/* A longer first delay is a wish for fewer attempts. */
static bool is_quick(const struct backoff *backoff, enum backoff_cause cause)
{
    return cause == BACKOFF_DOWN && backoff->quick_ms > 0 && !backoff->is_steady &&
           backoff->delay_ms <= BACKOFF_QUICK_MS_MAX;
}

static uint64_t doubled_ms(const struct backoff *backoff)
{
    uint64_t bound = backoff->delay_ms;

    for (uint32_t i = 0; i < backoff->failures && bound < backoff->delay_max_ms; i++) {
        bound *= 2;
    }
    return bound < backoff->delay_max_ms ? bound : backoff->delay_max_ms;
}

/* After the quick ones, delays go on to double from there. */
static uint64_t quick_ms(struct backoff *backoff, uint32_t random)
{
    uint64_t bound = doubled_ms(backoff);

    if (bound < BACKOFF_QUICK_MS_MAX && bound < backoff->delay_max_ms) {
        backoff->failures++;
    } else if (bound > BACKOFF_QUICK_MS_MAX) {
        bound = BACKOFF_QUICK_MS_MAX;
    }
    uint32_t delay_ms = (uint32_t)scale(random, bound);

    backoff->quick_ms -= delay_ms < backoff->quick_ms ? delay_ms : backoff->quick_ms;
    return delay_ms;
}

static uint64_t slow_ms(struct backoff *backoff, uint32_t random)
{
    uint64_t bound = doubled_ms(backoff);

    if (backoff->failures < UINT32_MAX) {
        backoff->failures++;
    }
    return backoff->is_steady ? bound - bound / 5 + scale(random, bound / 5 * 2)
                              : scale(random, bound);
}

uint64_t backoff_next_ms(struct backoff *backoff, enum backoff_cause cause, uint64_t retry_after_ms,
                         uint32_t random)
{
    uint64_t delay_ms =
        is_quick(backoff, cause) ? quick_ms(backoff, random) : slow_ms(backoff, random);

    if (cause == BACKOFF_REFUSED) {
        delay_ms = backoff->delay_max_ms - scale(random, backoff->delay_max_ms / 4);
    }
    if (retry_after_ms > BACKOFF_RETRY_AFTER_MAX_MS) {
        retry_after_ms = BACKOFF_RETRY_AFTER_MAX_MS;
    }
    if (delay_ms < retry_after_ms) {
        /* Clients given the same second still spread out. */
        delay_ms = retry_after_ms + scale(random, backoff->delay_ms);
    }
    return delay_ms;
}
