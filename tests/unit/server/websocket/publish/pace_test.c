/* Goal: a burst and a steady pace below the bound are served at once, a flood is not, and credit
 * never grows beyond the burst.
 * Method: an invented clock, with the numbers of pace.h. */
#include "server/websocket/publish/pace.h"

#include <criterion/criterion.h>
#include <stdlib.h>

enum { START_MS = 1000, STEPS = 4000 };

static struct pace pace;

static void open_pace(void)
{
    pace_init(&pace, START_MS);
}

TestSuite(pace, .init = open_pace);

/* Units that are spent at once, one by one. */
static unsigned spend_all(uint64_t now_ms)
{
    unsigned count = 0;

    while (pace_has_credit(&pace, now_ms)) {
        pace_spend(&pace, 1);
        count++;
    }
    return count;
}

Test(pace, burst_is_served_at_once)
{
    cr_assert_eq(spend_all(START_MS), PACE_BURST);
}

Test(pace, credit_comes_back_with_time)
{
    spend_all(START_MS);
    cr_assert_eq(spend_all(START_MS + 100), PACE_PER_SECOND / 10);
    cr_assert_eq(spend_all(START_MS + 100), 0);
    cr_assert_eq(spend_all(START_MS + 3600 * 1000), PACE_BURST);
}

Test(pace, bursts_beyond_a_slice_are_few_in_a_turn)
{
    cr_assert(pace_has_turn(PACE_SLICE - 1, UINT32_MAX));
    cr_assert(pace_has_turn(PACE_BURST, PACE_TURN_BURST - 1));
    cr_assert_not(pace_has_turn(PACE_SLICE, PACE_TURN_BURST));
}

Test(pace, steady_pace_below_the_bound_never_waits)
{
    for (uint64_t ms = 0; ms < 20000; ms++) {
        for (unsigned i = 0; i < PACE_PER_SECOND / 1000; i++) {
            cr_assert(pace_has_credit(&pace, START_MS + ms));
            pace_spend(&pace, 1);
        }
    }
}

Test(pace, flood_gets_the_bound_and_no_more)
{
    unsigned served = 0;

    for (uint64_t ms = 0; ms < 10000; ms++) {
        served += spend_all(START_MS + ms);
    }
    cr_assert_leq(served, PACE_BURST + 10 * PACE_PER_SECOND);
    cr_assert_geq(served, 10 * PACE_PER_SECOND);
}

Test(pace, message_to_many_viewers_costs_more)
{
    cr_assert_eq(pace_units(0), 1);
    cr_assert_eq(pace_units(PACE_VIEWERS_PER_UNIT - 1), 1);
    cr_assert_eq(pace_units(10 * PACE_VIEWERS_PER_UNIT), 11);
}

/* However demand comes: in no window more than the burst, the pace and the last message, and while
 * there is demand no less than the pace. */
Test(pace, no_window_has_more_than_its_share_and_none_is_starved)
{
    static uint64_t at_ms[STEPS], served[STEPS + 1]; /* served: before each step */
    unsigned seed = 1;
    uint64_t now_ms = START_MS;
    uint32_t cost_max = 0;

    for (unsigned i = 0; i < STEPS; i++) {
        uint32_t demand = (uint32_t)rand_r(&seed) % 3000;
        uint32_t cost = pace_units((uint32_t)rand_r(&seed) % 400);

        cost_max = cost > cost_max ? cost : cost_max;
        now_ms += (unsigned)rand_r(&seed) % 200;
        at_ms[i] = now_ms;
        served[i + 1] = served[i];
        for (; demand >= cost && pace_has_credit(&pace, now_ms); demand -= cost) {
            pace_spend(&pace, cost);
            served[i + 1] += cost;
        }
        cr_assert(demand < cost || !pace_has_credit(&pace, now_ms));
    }
    for (unsigned from = 0; from < STEPS; from++) {
        for (unsigned to = from; to < STEPS; to++) {
            uint64_t ms = at_ms[to] - at_ms[from];

            /* Each end may take its credit below 0, which is forgiven. */
            cr_assert_leq(served[to + 1] - served[from],
                          PACE_BURST + ms * PACE_PER_SECOND / 1000 + (to - from + 1) * cost_max);
        }
    }
    cr_assert_geq(served[STEPS], (now_ms - START_MS) * PACE_PER_SECOND / 1000 * 9 / 10);
}
