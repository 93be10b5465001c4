/* The histogram's promise: never below the true percentile, at most 1/128 above it. */
#include "perf/load/histogram.h"

#include <criterion/criterion.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/random.h"

static struct histogram histogram;

static int compare(const void *left, const void *right)
{
    uint64_t a = *(const uint64_t *)left;
    uint64_t b = *(const uint64_t *)right;

    return (a > b) - (a < b);
}

Test(histogram, is_empty_at_first)
{
    histogram_init(&histogram);
    cr_assert_eq(histogram_percentile(&histogram, 500000), 0);
    cr_assert_eq(histogram_percentile(&histogram, 1000000), 0);
    cr_assert_eq(histogram.count, 0);
}

Test(histogram, reports_single_values_within_a_step)
{
    static const uint64_t values[] = {0,
                                      1,
                                      127,
                                      128,
                                      129,
                                      255,
                                      256,
                                      257,
                                      999,
                                      65535,
                                      65536,
                                      1000000,
                                      12345,
                                      54321,
                                      99999,
                                      12345678901,
                                      (1ull << 40) - 1};

    for (size_t i = 0; i < ARRAY_LENGTH(values); i++) {
        histogram_init(&histogram);
        histogram_record(&histogram, values[i]);
        uint64_t median = histogram_percentile(&histogram, 500000);

        cr_assert_eq(median, values[i], "%llu, not %llu", (unsigned long long)median,
                     (unsigned long long)values[i]);
    }
}

Test(histogram, keeps_small_values_apart_exactly)
{
    histogram_init(&histogram);
    for (uint64_t value = 1; value <= 100; value++) {
        histogram_record(&histogram, value);
    }
    cr_assert_eq(histogram_percentile(&histogram, 0), 1);
    cr_assert_eq(histogram_percentile(&histogram, 10000), 1);
    cr_assert_eq(histogram_percentile(&histogram, 10001), 2);
    cr_assert_eq(histogram_percentile(&histogram, 500000), 50);
    cr_assert_eq(histogram_percentile(&histogram, 990000), 99);
    cr_assert_eq(histogram_percentile(&histogram, 1000000), 100);
    cr_assert_eq(histogram.sum, 5050);
}

/* Method: random values of all magnitudes, compared with the sorted array. */
Test(histogram, agrees_with_sorted_values)
{
    enum { COUNT = 20000 };
    static const unsigned shares_ppm[] = {1, 1000, 100000, 500000, 900000, 990000, 999000, 1000000};
    static uint64_t values[COUNT];

    histogram_init(&histogram);
    for (size_t i = 0; i < COUNT; i++) {
        random_bytes(&values[i], sizeof values[i]);
        values[i] >>= 24 + random_below(40);
        histogram_record(&histogram, values[i]);
    }
    qsort(values, COUNT, sizeof values[0], compare);
    for (size_t i = 0; i < ARRAY_LENGTH(shares_ppm); i++) {
        uint64_t rank = ((uint64_t)COUNT * shares_ppm[i] + 999999) / 1000000;
        uint64_t truth = values[rank - 1];
        uint64_t reported = histogram_percentile(&histogram, shares_ppm[i]);

        cr_assert(reported >= truth && reported <= truth + truth / HISTOGRAM_STEPS,
                  "%u ppm: %llu, truth %llu", shares_ppm[i], (unsigned long long)reported,
                  (unsigned long long)truth);
    }
    cr_assert_eq(histogram.max, values[COUNT - 1]);
}

Test(histogram, adds_another)
{
    static struct histogram other;

    histogram_init(&histogram);
    histogram_init(&other);
    for (unsigned i = 1; i <= 50; i++) {
        histogram_record(&histogram, i);
        histogram_record(&other, 50 + i);
    }
    histogram_add(&histogram, &other);
    cr_assert_eq(histogram.count, 100);
    cr_assert_eq(histogram.sum, 5050);
    cr_assert_eq(histogram.max, 100);
    cr_assert_eq(histogram_percentile(&histogram, 500000), 50);
    histogram_add(&other, &histogram);
    cr_assert_eq(other.max, 100, "the larger one stays");
}

Test(histogram, takes_values_beyond_its_range)
{
    histogram_init(&histogram);
    histogram_record(&histogram, UINT64_MAX);
    histogram_record(&histogram, 5);
    cr_assert_eq(histogram_percentile(&histogram, 500000), 5);
    cr_assert_eq(histogram_percentile(&histogram, 1000000), UINT64_MAX);
    cr_assert_eq(histogram.count, 2);
}
