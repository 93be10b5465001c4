#include "perf/load/histogram.h"

#include "base/check.h"

static const uint64_t value_max = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

static unsigned bucket_index(uint64_t value)
{
    if (value < HISTOGRAM_STEPS) {
        return (unsigned)value;
    }
    unsigned shift = 63u - (unsigned)__builtin_clzll(value) - HISTOGRAM_STEPS_LOG2;

    return shift * HISTOGRAM_STEPS + (unsigned)(value >> shift);
}

static uint64_t bucket_highest(unsigned index)
{
    if (index < 2 * HISTOGRAM_STEPS) {
        return index;
    }
    unsigned shift = index / HISTOGRAM_STEPS - 1;
    uint64_t step = index % HISTOGRAM_STEPS + HISTOGRAM_STEPS;

    return ((step + 1) << shift) - 1;
}

void histogram_init(struct histogram *histogram)
{
    *histogram = (struct histogram){.count = 0};
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    unsigned index = bucket_index(value > value_max ? value_max : value);

    CHECK(index < HISTOGRAM_BUCKETS);
    histogram->buckets[index]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, unsigned ppm)
{
    CHECK(ppm <= 1000000);
    /* Rounded up, so that the share is reached, not narrowly missed. */
    uint64_t wanted = (uint64_t)(((unsigned __int128)histogram->count * ppm + 999999) / 1000000);
    uint64_t seen = 0;

    for (unsigned i = 0; i < HISTOGRAM_BUCKETS && histogram->count > 0; i++) {
        seen += histogram->buckets[i];
        if (seen >= wanted && seen > 0) {
            uint64_t highest = bucket_highest(i);

            /* The last bucket also holds values beyond its end. */
            return highest > histogram->max || i == HISTOGRAM_BUCKETS - 1 ? histogram->max
                                                                          : highest;
        }
    }
    return 0;
}
