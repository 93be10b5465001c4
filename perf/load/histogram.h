/* A histogram of durations in constant space: each power of two is cut into 128 equal buckets, so
 * any reported value is at most 1/128 (0.8 %) above the true one. Owned by one thread; recording
 * never allocates. */
#pragma once

#include <stdint.h>

enum histogram_sizes {
    HISTOGRAM_STEPS_LOG2 = 7,
    HISTOGRAM_STEPS = 1 << HISTOGRAM_STEPS_LOG2,
    HISTOGRAM_VALUE_BITS = 40, /* larger values (18 minutes in ns) count as the largest */
    HISTOGRAM_BUCKETS = (HISTOGRAM_VALUE_BITS - HISTOGRAM_STEPS_LOG2 + 1) * HISTOGRAM_STEPS,
};

struct histogram {
    uint64_t count;
    uint64_t sum;
    uint64_t max; /* exact */
    uint64_t buckets[HISTOGRAM_BUCKETS];
};

void histogram_init(struct histogram *histogram);
void histogram_record(struct histogram *histogram, uint64_t value);

/* Counts all that the other has as well. */
void histogram_add(struct histogram *histogram, const struct histogram *other);

/* The value that at least this share of the recorded ones does not exceed, in parts per million
 * (500000 is the median, 999000 is p99.9): the upper end of its bucket, never above the maximum. 0
 * when nothing was recorded. ppm ≤ 1000000. */
uint64_t histogram_percentile(const struct histogram *histogram, unsigned ppm);
