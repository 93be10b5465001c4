/* RELAY_PUBLISH_RATE: what each publisher may send on average, and a meter for each, two token
 * buckets. Past it the connection is closed, where a pace (pace.h) only slows it down. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum publish_rate_limits {
    PUBLISH_BURST_MS = 10000, /* where the option names none */
    PUBLISH_BURST_MS_MIN = 100,
    PUBLISH_BURST_MS_MAX = 3600 * 1000,
};

#define PUBLISH_RATE_MAX INT64_C(1000000000000)

/* 0: no bound. */
struct publish_rate {
    int64_t bytes_per_s; /* payload */
    int64_t messages_per_s;
    int64_t burst_ms; /* what this time allows may come at once */
};

/* "4M,200,10s": bytes a second (k, M and G are powers of 1000), messages a second, burst; what is
 * left out at the end has no bound, or the usual burst; "" is no bound at all. 0, or -EINVAL with
 * ret_rate untouched. */
MUST_USE int publish_rate_parse(const char *text, struct publish_rate *ret_rate);

/* All zero: a full burst at the first message. */
struct publish_meter {
    int64_t bytes, messages; /* credit, in thousandths */
    uint64_t filled_ms;      /* up to then; 0: not used yet */
};

/* Counts a message of that many bytes. False: there was no credit left, so the publisher is faster
 * than its rate. A message that is larger than the credit is allowed, and the next ones wait for
 * it. now_ms is above 0 and never runs backwards. */
MUST_USE bool publish_meter_take(struct publish_meter *meter, const struct publish_rate *rate,
                                 uint64_t now_ms, uint64_t bytes);
