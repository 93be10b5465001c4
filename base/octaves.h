/* The buckets of a histogram: each power of two (octave) is cut into 1 << steps_log2 equal ones, so
 * a value is known to within one part in 1 << steps_log2. Values below 1 << steps_log2 have a
 * bucket each. The counts belong to the caller. Pure, any thread. */
#pragma once

#include <stdint.h>

unsigned octaves_bucket_of(uint64_t value, unsigned steps_log2);

/* The highest value of the bucket. */
uint64_t octaves_bucket_end(unsigned bucket, unsigned steps_log2);

/* The first bucket up to which at least ppm parts per million of all total values are counted;
 * buckets_count when total is 0. ppm ≤ 1000000. */
unsigned octaves_find(const uint64_t *counts, unsigned buckets_count, uint64_t total, unsigned ppm);
