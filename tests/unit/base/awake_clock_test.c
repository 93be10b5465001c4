/* A deadline must not pass while nobody could look. Method: a story of waits, each with how long it
 * was meant to be and how long it was. */
#include "base/awake_clock.h"

#include <criterion/criterion.h>

Test(awake_clock, runs_with_the_real_one)
{
    struct awake_clock clock;

    awake_clock_init(&clock, 5000);
    cr_assert_eq(awake_clock_advance(&clock, 5000, 0), 5000);
    cr_assert_eq(awake_clock_advance(&clock, 5700, 1000), 5700); /* woken early */
    cr_assert_eq(awake_clock_advance(&clock, 6705, 1000), 6705);
    cr_assert_eq(awake_clock_advance(&clock, 6705 + AWAKE_CLOCK_WORK_MS, 0),
                 6705 + AWAKE_CLOCK_WORK_MS);
}

Test(awake_clock, counts_of_a_freeze_what_was_to_be_waited)
{
    struct awake_clock clock;

    awake_clock_init(&clock, 5000);
    cr_assert_eq(awake_clock_advance(&clock, 25000, 1000), 6000 + AWAKE_CLOCK_WORK_MS);
    cr_assert_eq(awake_clock_advance(&clock, 25300, 1000), 6300 + AWAKE_CLOCK_WORK_MS);
    cr_assert_eq(awake_clock_advance(&clock, 85300, 0), 6300 + 2 * AWAKE_CLOCK_WORK_MS);
}

Test(awake_clock, a_wait_without_limit_is_no_freeze)
{
    struct awake_clock clock;

    awake_clock_init(&clock, 5000);
    cr_assert_eq(awake_clock_advance(&clock, 3605000, UINT64_MAX), 3605000);
    cr_assert_eq(awake_clock_advance(&clock, 3605001, UINT64_MAX - 1), 3605001);
}
