#include "base/octaves.h"

#include "base/check.h"

unsigned octaves_bucket_of(uint64_t value, unsigned steps_log2)
{
    if (value >> steps_log2 == 0) {
        return (unsigned)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - steps_log2;

    return (shift << steps_log2) + (unsigned)(value >> shift);
}

uint64_t octaves_bucket_end(unsigned bucket, unsigned steps_log2)
{
    unsigned steps = 1u << steps_log2;

    if (bucket < steps) {
        return bucket;
    }
    unsigned shift = bucket / steps - 1;
    uint64_t start = (uint64_t)(steps + bucket % steps) << shift;

    return start + (UINT64_C(1) << shift) - 1;
}

unsigned octaves_find(const uint64_t *counts, unsigned buckets_count, uint64_t total, unsigned ppm)
{
    /* Rounded up, so that the share is reached, not narrowly missed; in parts that fit 64 bits. */
    uint64_t wanted = total / 1000000 * ppm + (total % 1000000 * ppm + 999999) / 1000000;
    uint64_t seen = 0;

    CHECK(ppm <= 1000000);
    for (unsigned bucket = 0; bucket < buckets_count && total > 0; bucket++) {
        seen += counts[bucket];
        if (seen >= wanted && seen > 0) {
            return bucket;
        }
    }
    return buckets_count;
}
