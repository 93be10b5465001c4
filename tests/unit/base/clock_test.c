/* Goal: the clocks agree with each other and with the system's, in their units. */
#include <criterion/criterion.h>
#include <time.h>

#include "base/clock.h"

Test(clock, monotonic_never_goes_back_and_counts_milliseconds)
{
    uint64_t last_ns = clock_monotonic_ns();

    for (int i = 0; i < 1000; i++) {
        uint64_t before_ms = clock_monotonic_ms();
        uint64_t now_ns = clock_monotonic_ns();

        cr_assert_geq(now_ns, last_ns);
        cr_assert_leq(before_ms, now_ns / 1000000);
        last_ns = now_ns;
    }
    cr_assert_leq(last_ns / 1000000, clock_monotonic_ms());
}

Test(clock, wall_time_is_the_time_of_day)
{
    time_t before = time(NULL);
    int64_t now_s = clock_wall_s();
    uint64_t now_ns = clock_wall_ns();

    /* time(2) may lag the exact clock by a tick. */
    cr_assert_geq(now_s, (int64_t)before);
    cr_assert_leq(now_s, (int64_t)(now_ns / 1000000000u));
    cr_assert_leq((int64_t)(now_ns / 1000000000u), (int64_t)time(NULL) + 1);
}
