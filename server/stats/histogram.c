#include "server/stats/histogram.h"

#include "base/check.h"

static const uint64_t bounds_us[HISTOGRAM_BOUNDS_COUNT] = {
#define HISTOGRAM_BOUND(us, text) us,
    HISTOGRAM_BOUNDS(HISTOGRAM_BOUND)
#undef HISTOGRAM_BOUND
};

const char *histogram_bound_text(unsigned bucket)
{
    static const char *const texts[HISTOGRAM_BOUNDS_COUNT + 1] = {
#define HISTOGRAM_TEXT(us, text) text,
        HISTOGRAM_BOUNDS(HISTOGRAM_TEXT)
#undef HISTOGRAM_TEXT
            "+Inf",
    };

    CHECK(bucket <= HISTOGRAM_BOUNDS_COUNT);
    return texts[bucket];
}

static void add(_Atomic uint64_t *target, uint64_t value)
{
    atomic_store_explicit(target, atomic_load_explicit(target, memory_order_relaxed) + value,
                          memory_order_relaxed);
}

/* Most values are in the first few. */
void histogram_add(struct histogram *histogram, uint64_t us)
{
    unsigned bucket = 0;

    while (bucket < HISTOGRAM_BOUNDS_COUNT && us > bounds_us[bucket]) {
        bucket++;
    }
    add(&histogram->counts[bucket], 1);
    add(&histogram->sum_us, us);
}

void histogram_accumulate(struct histogram *target, const struct histogram *source)
{
    for (unsigned i = 0; i <= HISTOGRAM_BOUNDS_COUNT; i++) {
        add(&target->counts[i], atomic_load_explicit(&source->counts[i], memory_order_relaxed));
    }
    add(&target->sum_us, atomic_load_explicit(&source->sum_us, memory_order_relaxed));
}
