/* Histogram of latencies: sixteen buckets for each power of two (so within 6.25 %), from 1 ns to
 * centuries, in a fixed 8 KiB. Owned by one thread, or guarded by its owner. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum latency_histogram_sizes {
    LATENCY_HISTOGRAM_STEPS = 16, /* buckets for each power of two */
    LATENCY_HISTOGRAM_BUCKETS = 61 * LATENCY_HISTOGRAM_STEPS,
    LATENCY_HISTOGRAM_TEXT_SIZE = 8192,
};

struct latency_histogram {
    uint64_t counts[LATENCY_HISTOGRAM_BUCKETS];
    uint64_t total;
    uint64_t min_ns, max_ns; /* exact; 0 while total is */
    double sum_ns;
};

/* A zeroed struct is an empty histogram. */
void latency_histogram_record(struct latency_histogram *histogram, uint64_t latency_ns);

/* The latency not exceeded by that many per thousand: the upper end of its bucket, never above the
 * maximum; 0 when empty. */
uint64_t latency_histogram_permille_ns(const struct latency_histogram *histogram,
                                       unsigned permille);

/* Lines of text: count, percentiles, and a bar for each power of two between the extremes. */
void latency_histogram_format(const struct latency_histogram *histogram,
                              char text[static LATENCY_HISTOGRAM_TEXT_SIZE]);
