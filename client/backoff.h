/* How long to wait before the next attempt. Pure: randomness comes from the caller. Client thread
 * only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum backoff_limits {
    BACKOFF_HEALTHY_MS = 10000,          /* a connection that lived this long starts anew */
    BACKOFF_RETRY_AFTER_MAX_MS = 600000, /* a server may ask for no more */
};

struct backoff {
    uint32_t delay_ms;     /* bound of the first delay */
    uint32_t delay_max_ms; /* bound of all delays, and the pace after a refusal */
    uint32_t failures;     /* since the last reset */
};

void backoff_init(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* From the next delay on. */
void backoff_set_delays(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* After a healthy connection. */
void backoff_reset(struct backoff *backoff);

/* The delay before the next attempt. Faults of the network: anything up to a bound that doubles
 * (full jitter), so that a thousand clients of a restarted relay do not come back in step.
 * Refusals: the longest delay less up to a quarter. Never less than retry_after_ms. random is
 * uniform in 0…UINT32_MAX. */
uint64_t backoff_next_ms(struct backoff *backoff, bool refused, uint64_t retry_after_ms,
                         uint32_t random);
