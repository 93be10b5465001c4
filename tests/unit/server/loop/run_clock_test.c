/* Goal: the time of a pause is taken out once, however many workers wake from it.
 * Method: readings of the clock are given by the test. */
#include "server/loop/run_clock.h"

#include <criterion/criterion.h>

#include "server/limits.h"

enum { START_MS = 1000000 };

Test(run_clock, runs_with_monotonic_time)
{
    struct run_clock clock = {0};

    cr_assert_eq(run_clock_at(&clock, START_MS), START_MS);
    cr_assert_eq(run_clock_look(&clock, START_MS, START_MS), 0);
    cr_assert_eq(run_clock_look(&clock, START_MS, START_MS + PAUSE_MS_MIN - 1), 0);
    cr_assert_eq(run_clock_at(&clock, START_MS + 5000), START_MS + 5000);
}

Test(run_clock, leaves_out_a_pause)
{
    struct run_clock clock = {0};

    cr_assert_eq(run_clock_look(&clock, START_MS + 1000, START_MS + 21000), 20000);
    cr_assert_eq(run_clock_at(&clock, START_MS + 21000), START_MS + 1000);
    cr_assert_eq(run_clock_at(&clock, START_MS + 22000), START_MS + 2000);
}

Test(run_clock, counts_a_pause_of_all_workers_once)
{
    struct run_clock clock = {0};

    /* Each was to look at another moment, and looks a little after the other. */
    cr_assert_eq(run_clock_look(&clock, START_MS + 800, START_MS + 21000), 20200);
    cr_assert_eq(run_clock_look(&clock, START_MS + 100, START_MS + 21000), 0);
    cr_assert_eq(run_clock_look(&clock, START_MS + 300, START_MS + 21003), 3);
    cr_assert_eq(run_clock_at(&clock, START_MS + 21003), START_MS + 800);
}

Test(run_clock, counts_the_next_pause_too)
{
    struct run_clock clock = {0};

    cr_assert_eq(run_clock_look(&clock, START_MS, START_MS + 3000), 3000);
    cr_assert_eq(run_clock_look(&clock, START_MS + 4000, START_MS + 9000), 5000);
    cr_assert_eq(run_clock_at(&clock, START_MS + 9000), START_MS + 1000);
}
