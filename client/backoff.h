/* The wait before the next attempt. Pure: randomness comes from the caller. Client thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum backoff_limits {
    BACKOFF_HEALTHY_MS = 10000,          /* a connection that lived this long resets the back-off */
    BACKOFF_RETRY_AFTER_MAX_MS = 600000, /* limit of what a server may ask for */
    BACKOFF_QUICK_MS_MAX = 800, /* bound while a server is down that was there a moment ago: so it
                                   has its clients back within a second of its return */
    BACKOFF_QUICK_TOTAL_MS = 120000, /* sum of such delays: a machine restarts in less */
};

/* Why there is no connection. */
enum backoff_cause {
    BACKOFF_DOWN,    /* the server did not answer, or its gateway did for it */
    BACKOFF_FAILED,  /* it did, and the attempt failed, or the connection ended */
    BACKOFF_REFUSED, /* it refuses this client */
};

struct backoff {
    uint32_t delay_ms;     /* bound of the first delay */
    uint32_t delay_max_ms; /* bound of all delays, and the delay after a refusal */
    uint32_t failures;     /* since the last reset; quick ones count while they double */
    uint32_t quick_ms;     /* left of BACKOFF_QUICK_TOTAL_MS */
    bool is_steady;        /* delays are near their bound, not anything up to it, and never quick */
};

void backoff_init(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* Takes effect with the next delay. */
void backoff_set_delays(struct backoff *backoff, uint32_t delay_ms, uint32_t delay_max_ms);

/* Delays are then the bound, more or less a fifth: for programs that promise a series. */
void backoff_set_steady(struct backoff *backoff, bool is_steady);

/* Call after a healthy connection. */
void backoff_reset(struct backoff *backoff);

/* The delay before the next attempt. Network faults: anything up to a bound that doubles (full
 * jitter), so that a thousand clients of a restarted relay do not reconnect in step; while the
 * server is down, to no more than BACKOFF_QUICK_MS_MAX until such delays have come to
 * BACKOFF_QUICK_TOTAL_MS. Refusals: the longest delay less up to a quarter. Never less than
 * retry_after_ms. random is uniform in 0…UINT32_MAX. */
uint64_t backoff_next_ms(struct backoff *backoff, enum backoff_cause cause, uint64_t retry_after_ms,
                         uint32_t random);
