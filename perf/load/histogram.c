#include "perf/load/histogram.h"

#include "base/check.h"
#include "base/octaves.h"

static const uint64_t value_max = (UINT64_C(1) << HISTOGRAM_VALUE_BITS) - 1;

void histogram_init(struct histogram *histogram)
{
    *histogram = (struct histogram){.count = 0};
}

void histogram_record(struct histogram *histogram, uint64_t value)
{
    unsigned index = octaves_bucket_of(value > value_max ? value_max : value, HISTOGRAM_STEPS_LOG2);

    CHECK(index < HISTOGRAM_BUCKETS);
    histogram->buckets[index]++;
    histogram->count++;
    histogram->sum += value;
    if (value > histogram->max) {
        histogram->max = value;
    }
}

void histogram_add(struct histogram *histogram, const struct histogram *other)
{
    histogram->count += other->count;
    histogram->sum += other->sum;
    histogram->max = other->max > histogram->max ? other->max : histogram->max;
    for (unsigned i = 0; i < HISTOGRAM_BUCKETS; i++) {
        histogram->buckets[i] += other->buckets[i];
    }
}

uint64_t histogram_percentile(const struct histogram *histogram, unsigned ppm)
{
    unsigned bucket = octaves_find(histogram->buckets, HISTOGRAM_BUCKETS, histogram->count, ppm);

    if (bucket == HISTOGRAM_BUCKETS) {
        return 0;
    }
    uint64_t highest = octaves_bucket_end(bucket, HISTOGRAM_STEPS_LOG2);

    /* The last bucket also holds values beyond its end. */
    return highest > histogram->max || bucket == HISTOGRAM_BUCKETS - 1 ? histogram->max : highest;
}
