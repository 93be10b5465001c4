/* The wait before the next attempt. Pure: randomness comes from the caller. Client thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum backoff_limits {
    BACKOFF_HEALTHY_MS = 10000,          /* a connection that lived this long resets the back-off */
    BACKOFF_RETRY_AFTER_MAX_MS = 600000, /* limit of what a server may ask for */
};

struct backoff {
    uint32_t delay_ms;     /* bound of the first delay */
    uint32_t delay_max_ms; /* bound of all delays, and the delay after a refusal */
    uint32_t failures;     /* since the last reset */
};

void backoff_init(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* Takes effect with the next delay. */
void backoff_set_delays(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* Call after a healthy connection. */
void backoff_reset(struct backoff *backoff);

/* The delay before the next attempt. Network faults: anything up to a bound that doubles (full
 * jitter), so that a thousand clients of a restarted relay do not reconnect in step. Refusals: the
 * longest delay less up to a quarter. Never less than retry_after_ms. random is uniform in
 * 0…UINT32_MAX. */
uint64_t backoff_next_ms(struct backoff *backoff, bool refused, uint64_t retry_after_ms,
                         uint32_t random);
