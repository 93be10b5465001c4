/* A histogram of times with the buckets of a Prometheus classic histogram, from 50 µs. Written by
 * its owner thread only; any thread may read (relaxed), so what it reads is approximate. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

/* Upper bounds in microseconds, and the same in seconds as monitoring reads them. */
#define HISTOGRAM_BOUNDS(X)                                                                        \
    X(50, "0.00005")                                                                               \
    X(100, "0.0001")                                                                               \
    X(250, "0.00025")                                                                              \
    X(500, "0.0005")                                                                               \
    X(1000, "0.001")                                                                               \
    X(2500, "0.0025")                                                                              \
    X(5000, "0.005")                                                                               \
    X(10000, "0.01")                                                                               \
    X(25000, "0.025")                                                                              \
    X(50000, "0.05")                                                                               \
    X(100000, "0.1")                                                                               \
    X(250000, "0.25")                                                                              \
    X(500000, "0.5")                                                                               \
    X(1000000, "1.0")                                                                              \
    X(5000000, "5.0")

#define HISTOGRAM_ONE(us, text) +1
enum { HISTOGRAM_BOUNDS_COUNT = 0 HISTOGRAM_BOUNDS(HISTOGRAM_ONE) };
#undef HISTOGRAM_ONE

struct histogram {
    _Atomic uint64_t counts[HISTOGRAM_BOUNDS_COUNT + 1]; /* the last one: beyond all bounds */
    _Atomic uint64_t sum_us;
};

/* Upper bound of a bucket in seconds, "+Inf" of the last one. */
const char *histogram_bound_text(unsigned bucket);

/* Owner only. */
void histogram_add(struct histogram *histogram, uint64_t us);

/* Adds source to the plain sums of target, which no other thread uses. */
void histogram_accumulate(struct histogram *target, const struct histogram *source);
