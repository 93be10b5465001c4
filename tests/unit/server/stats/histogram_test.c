/* Goal: each time falls into the first bucket that holds it; sums add up over workers. */
#include "server/stats/histogram.h"

#include <criterion/criterion.h>

static uint64_t count(const struct histogram *histogram, unsigned bucket)
{
    return atomic_load(&histogram->counts[bucket]);
}

Test(histogram, times_fall_into_the_first_bucket_that_holds_them)
{
    static const struct {
        uint64_t us;
        unsigned bucket;
        const char *bound;
    } cases[] = {
        {0, 0, "0.00005"},
        {50, 0, "0.00005"},
        {51, 1, "0.0001"},
        {1000, 4, "0.001"},
        {1001, 5, "0.0025"},
        {5000000, HISTOGRAM_BOUNDS_COUNT - 1, "5.0"},
        {5000001, HISTOGRAM_BOUNDS_COUNT, "+Inf"},
        {UINT64_MAX, HISTOGRAM_BOUNDS_COUNT, "+Inf"},
    };

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct histogram histogram = {0};

        histogram_add(&histogram, cases[i].us);
        cr_assert_eq(count(&histogram, cases[i].bucket), 1, "%llu us",
                     (unsigned long long)cases[i].us);
        cr_assert_str_eq(histogram_bound_text(cases[i].bucket), cases[i].bound);
        cr_assert_eq(atomic_load(&histogram.sum_us), cases[i].us);
    }
}

Test(histogram, adds_up)
{
    struct histogram sum = {0}, one = {0};

    histogram_add(&one, 7);
    histogram_add(&one, 70);
    histogram_accumulate(&sum, &one);
    histogram_accumulate(&sum, &one);
    cr_assert_eq(count(&sum, 0), 2);
    cr_assert_eq(count(&sum, 1), 2);
    cr_assert_eq(atomic_load(&sum.sum_us), 154);
}
