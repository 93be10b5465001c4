/* How long messages take on one hop of one connection: a histogram of eight buckets for each
 * doubling, so that a quantile is known within a tenth, of some thousand messages, of which new
 * ones count more. All zero: none was seen. Owner worker only; pure. */
#pragma once

#include <stdint.h>

enum latency_limits {
    LATENCY_BUCKETS = 192,
    LATENCY_US_MAX = (1 << 26) - 1, /* 67 s; what took longer counts as that */
    LATENCY_WINDOW = 8192,          /* then all that was seen counts half */
};

/* Hops; reports have their names. */
enum latency_hop {
    LATENCY_PUBLISH, /* from the publisher to the relay */
    LATENCY_RELAY,   /* in the relay */
    LATENCY_DELIVER, /* to the viewer */
    LATENCY_DECODE,  /* in the viewer */
    LATENCY_HOPS,
};

struct latency {
    uint32_t count;
    uint16_t counts[LATENCY_BUCKETS];
};

void latency_add(struct latency *latency, uint64_t us);

/* From one time to another, both by our clock; nothing where one is not known (0). */
void latency_add_between(struct latency *latency, uint64_t begin_us, uint64_t end_us);

/* So many of a hundred take no longer. 0: none was seen. */
uint64_t latency_percentile_us(const struct latency *latency, unsigned percent);
