/* Goal: the offset is that of the least delayed exchange, and no answer, however wrong, makes times
 * that no clock could have measured. Method: exchanges of chosen times, those of docs/protocol.md
 * among them. */
#include "client/v1/clock_exchange.h"

#include <criterion/criterion.h>

enum { OFFSET = 1000000 };

/* A request that takes there_us and an answer that takes back_us, with a relay that is OFFSET
 * ahead. */
static bool take(struct clock_exchange *exchange, uint64_t at_us, uint64_t there_us,
                 uint64_t back_us)
{
    uint64_t arrived_us = at_us + there_us + OFFSET;

    return clock_exchange_take(exchange, at_us, arrived_us, arrived_us + 20,
                               at_us + there_us + 20 + back_us);
}

Test(clock_exchange, knows_nothing_at_first)
{
    const struct clock_exchange exchange = {.count = 0};

    cr_expect_eq(clock_exchange_relay_us(&exchange, 5), 0);
    cr_expect_eq(clock_exchange_round_trip_us(&exchange), 0);
}

Test(clock_exchange, finds_the_offset_when_both_ways_are_alike)
{
    struct clock_exchange exchange = {.count = 0};

    cr_assert(take(&exchange, 5000, 300, 300));
    cr_expect_eq(clock_exchange_round_trip_us(&exchange), 600);
    cr_expect_eq(clock_exchange_relay_us(&exchange, 7000), 7000 + OFFSET);
}

Test(clock_exchange, trusts_the_shortest_round_trip_of_the_last_few)
{
    struct clock_exchange exchange = {.count = 0};

    cr_assert(take(&exchange, 1000, 100, 100));
    cr_assert(take(&exchange, 2000, 100, 9000));
    cr_expect_eq(clock_exchange_relay_us(&exchange, 0), OFFSET);
    cr_expect_eq(clock_exchange_round_trip_us(&exchange), 9100, "it is of the last");
    for (unsigned i = 0; i < CLOCK_EXCHANGE_SAMPLES; i++) {
        cr_assert(take(&exchange, 3000, 400, 600));
    }
    cr_expect_eq(clock_exchange_relay_us(&exchange, 0), OFFSET - 100, "the first is forgotten");
}

Test(clock_exchange, follows_a_clock_that_is_behind_ours)
{
    struct clock_exchange exchange = {.count = 0};

    cr_assert(clock_exchange_take(&exchange, 9000000, 1000, 1000, 9000000));
    cr_expect_eq(clock_exchange_relay_us(&exchange, 9000005), 1005);
    cr_expect_eq(clock_exchange_relay_us(&exchange, 5), 0, "in front of its 1970");
}

Test(clock_exchange, refuses_what_cannot_be)
{
    static const struct {
        const char *what;
        uint64_t asked, arrived, answered, returned;
    } cases[] = {
        {"no time of the relay", 1, 0, 0, 2},
        {"answered before it arrived", 1, 10, 9, 20},
        {"returned before it was asked", 20, 10, 10, 19},
        {"longer there than away", 0, 10, 111, 100},
        {"a time above 2^53", 0, UINT64_C(1) << 53, UINT64_C(1) << 53, 10},
        {"a request that we never made", UINT64_MAX, 10, 10, 10},
        {"an answer after minutes", 0, 10, 10, UINT64_C(61) * 1000000},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct clock_exchange exchange = {.count = 0};

        cr_expect_not(clock_exchange_take(&exchange, cases[i].asked, cases[i].arrived,
                                          cases[i].answered, cases[i].returned),
                      "%s", cases[i].what);
        cr_expect_eq(exchange.count, 0, "%s", cases[i].what);
    }
}
