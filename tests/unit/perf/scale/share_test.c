/* Goal: a wished share of a server is found from any beginning, and rates stay in bounds. Method:
 * servers that are arithmetic. */
#include "perf/scale/share.h"

#include <criterion/criterion.h>

Test(share, begins_with_what_any_machine_can)
{
    struct scenario one = {.topics = 1, .viewers = 1};
    struct scenario many = {.topics = 1000, .viewers = 1000};

    cr_expect_eq(share_rate_first(&one), 4000);
    cr_expect_eq(share_rate_first(&many), 1);
}

/* Messages cost less the more of them there are, as they are sent together. */
static double busy_percent(unsigned rate)
{
    return rate / 500.0 - rate * (double)rate / 125000000.0;
}

Test(share, is_found_in_few_steps)
{
    for (unsigned wanted = 10; wanted <= 90; wanted += 20) {
        unsigned rate = 4, steps = 0;

        while (!share_is_near(busy_percent(rate), wanted)) {
            rate = share_rate_next(rate, busy_percent(rate), wanted, false);
            cr_assert_lt(++steps, 2 * SHARE_STEPS_MAX, "%u percent: %u", wanted, rate);
        }
    }
}

Test(share, goes_down_where_a_rate_was_not_kept)
{
    cr_expect_eq(share_rate_next(1000, 50, 90, true), 850);
    cr_expect_eq(share_rate_next(2, 50, 90, true), 1);
    cr_expect_eq(share_rate_next(1, 50, 90, true), 1, "there is no lower one");
}

Test(share, never_tries_the_same_rate_twice)
{
    cr_expect_eq(share_rate_next(10, 85, 90, false), 11);
    cr_expect_eq(share_rate_next(10, 95, 90, false), 9);
    cr_expect_eq(share_rate_next(10, 0, 90, false), 40, "too little to see");
    cr_expect_eq(share_rate_next(SCENARIO_RATE_MAX, 1, 90, false), SCENARIO_RATE_MAX);
}
