/* Goal: percentiles are right within a tenth, bounded, and follow what is new.
 * Method: known series. */
#include "server/hub/v1/latency.h"

#include <criterion/criterion.h>

static struct latency latency;

static void expect_about(unsigned percent, uint64_t us)
{
    uint64_t found = latency_percentile_us(&latency, percent);

    cr_assert_leq(found * 10, us * 11 + 10, "p%u: %llu of %llu", percent, (unsigned long long)found,
                  (unsigned long long)us);
    cr_assert_geq(found * 11 + 10, us * 10, "p%u: %llu of %llu", percent, (unsigned long long)found,
                  (unsigned long long)us);
}

Test(latency, percentiles_of_a_known_series)
{
    latency = (struct latency){0};
    cr_assert_eq(latency_percentile_us(&latency, 50), 0);
    for (uint64_t us = 1; us <= 5000; us++) {
        latency_add(&latency, us * 10);
    }
    expect_about(50, 25000);
    expect_about(99, 49500);
    expect_about(100, 50000);
}

Test(latency, each_value_is_known_within_a_tenth)
{
    for (uint64_t us = 0; us < LATENCY_US_MAX; us = us * 9 / 8 + 1) {
        latency = (struct latency){0};
        latency_add(&latency, us);
        expect_about(50, us);
    }
    latency = (struct latency){0};
    latency_add(&latency, UINT64_MAX);
    expect_about(50, LATENCY_US_MAX);
}

Test(latency, new_values_take_over)
{
    latency = (struct latency){0};
    for (unsigned i = 0; i < 1000000; i++) {
        latency_add(&latency, 100);
    }
    for (unsigned i = 0; i < 4 * LATENCY_WINDOW; i++) {
        latency_add(&latency, 9000);
    }
    expect_about(50, 9000);
    cr_assert_leq(latency.count, LATENCY_WINDOW);
}

Test(latency, times_that_are_not_known_do_not_count)
{
    latency = (struct latency){0};
    latency_add_between(&latency, 0, 5);
    latency_add_between(&latency, 5, 0);
    cr_assert_eq(latency.count, 0);
    latency_add_between(&latency, 7, 5);
    cr_assert_eq(latency.count, 1, "clocks that differ a little");
    cr_assert_eq(latency_percentile_us(&latency, 50), 0);
}
