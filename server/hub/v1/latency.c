#include "server/hub/v1/latency.h"

#include "base/check.h"

enum { SUB_BITS = 3, SUBS = 1 << SUB_BITS };

static unsigned bucket_of(uint32_t us)
{
    if (us < SUBS) {
        return us;
    }
    unsigned exponent = 31u - (unsigned)__builtin_clz(us);

    return (exponent - SUB_BITS + 1) * SUBS + ((us >> (exponent - SUB_BITS)) & (SUBS - 1));
}

/* The middle of a bucket. */
static uint64_t value_of(unsigned bucket)
{
    if (bucket < SUBS) {
        return bucket;
    }
    unsigned shift = bucket / SUBS - 1;
    uint64_t low = (uint64_t)(SUBS + bucket % SUBS) << shift;

    return low + ((UINT64_C(1) << shift) >> 1);
}

static void age(struct latency *latency)
{
    latency->count = 0;
    for (unsigned i = 0; i < LATENCY_BUCKETS; i++) {
        latency->counts[i] /= 2;
        latency->count += latency->counts[i];
    }
}

void latency_add(struct latency *latency, uint64_t us)
{
    unsigned bucket = bucket_of(us < LATENCY_US_MAX ? (uint32_t)us : (uint32_t)LATENCY_US_MAX);

    CHECK(bucket < LATENCY_BUCKETS);
    latency->counts[bucket]++;
    latency->count++;
    if (latency->count >= LATENCY_WINDOW) {
        age(latency);
    }
}

void latency_add_between(struct latency *latency, uint64_t begin_us, uint64_t end_us)
{
    if (begin_us != 0 && end_us != 0) {
        latency_add(latency, end_us > begin_us ? end_us - begin_us : 0);
    }
}

uint64_t latency_percentile_us(const struct latency *latency, unsigned percent)
{
    uint64_t rank = ((uint64_t)latency->count * percent + 99) / 100;
    uint64_t seen = 0;

    for (unsigned i = 0; i < LATENCY_BUCKETS && rank > 0; i++) {
        seen += latency->counts[i];
        if (seen >= rank) {
            return value_of(i);
        }
    }
    return 0;
}
