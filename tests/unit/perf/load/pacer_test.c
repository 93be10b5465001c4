/* Pacing by numbers alone: even, without drift, catching up a little and skipping the rest. */
#include "perf/load/pacer.h"

#include <criterion/criterion.h>

enum { LATE_NS = 2000000, SKIP_NS = 10000000 };

static const uint64_t start_ns = 5000000000;

static struct pacer pacer_of(uint64_t rate)
{
    struct pacer pacer;

    pacer_init(&pacer, start_ns, rate, LATE_NS, SKIP_NS);
    return pacer;
}

Test(pacer, gives_nothing_before_the_start)
{
    struct pacer pacer = pacer_of(100);
    uint64_t slot = 77;

    cr_assert_not(pacer_take(&pacer, start_ns - 1, &slot));
    cr_assert_eq(slot, 77);
    cr_assert(pacer_take(&pacer, start_ns, &slot));
    cr_assert_eq(slot, 0);
    cr_assert_not(pacer_take(&pacer, start_ns, &slot));
}

Test(pacer, gives_each_slot_once_and_in_order)
{
    struct pacer pacer = pacer_of(2000);

    for (uint64_t expected = 0; expected < 10000; expected++) {
        uint64_t due_ns = pacer_due_ns(&pacer);
        uint64_t slot;

        cr_assert_not(pacer_take(&pacer, due_ns - 1, &slot));
        cr_assert(pacer_take(&pacer, due_ns, &slot));
        cr_assert_eq(slot, expected);
    }
    cr_assert_eq(pacer.late, 0);
    cr_assert_eq(pacer.skipped, 0);
}

/* A rate that does not divide a second: adding a rounded interval would lose a slot in hours. */
Test(pacer, does_not_drift)
{
    struct pacer pacer = pacer_of(30000 * 7);
    uint64_t day_s = 24 * 3600;

    pacer.next = day_s * pacer.rate;
    cr_assert_eq(pacer_due_ns(&pacer), start_ns + day_s * 1000000000);
    pacer.next++;
    cr_assert_eq(pacer_due_ns(&pacer), start_ns + day_s * 1000000000 + 1000000000 / 210000);
}

Test(pacer, catches_up_and_counts_what_is_late)
{
    struct pacer pacer = pacer_of(1000);
    uint64_t slot;
    unsigned taken = 0;

    while (pacer_take(&pacer, start_ns + 5000000, &slot)) {
        taken++;
    }
    cr_assert_eq(taken, 6);      /* due at 0, 1, 2, 3, 4 and 5 ms */
    cr_assert_eq(pacer.late, 3); /* 5, 4 and 3 ms late */
    cr_assert_eq(pacer.skipped, 0);
}

Test(pacer, skips_what_is_overdue_too_long)
{
    struct pacer pacer = pacer_of(1000);
    uint64_t slot;
    unsigned taken = 0;

    cr_assert(pacer_take(&pacer, start_ns + 100000000, &slot));
    cr_assert_eq(slot, 90);
    cr_assert_eq(pacer.skipped, 90);
    while (pacer_take(&pacer, start_ns + 100000000, &slot)) {
        taken++;
    }
    cr_assert_eq(taken, 10);
    cr_assert_eq(slot, 100);
}

Test(pacer, recovers_after_a_pause)
{
    struct pacer pacer = pacer_of(100);
    uint64_t slot;

    cr_assert(pacer_take(&pacer, start_ns + 1000000000, &slot));
    while (pacer_take(&pacer, start_ns + 1000000000, &slot)) {
    }
    uint64_t late = pacer.late;
    uint64_t skipped = pacer.skipped;

    for (unsigned i = 0; i < 100; i++) {
        cr_assert(pacer_take(&pacer, pacer_due_ns(&pacer), &slot));
    }
    cr_assert_eq(pacer.late, late);
    cr_assert_eq(pacer.skipped, skipped);
}
