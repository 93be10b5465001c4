/* The pace of retries: bounds, growth, a server that is down for a moment, refusals, what a server
 * asks for. */
#include "client/backoff.h"

#include <criterion/criterion.h>

enum { DELAY_MS = 500, DELAY_MAX_MS = 30000 };

static uint64_t longest(struct backoff *backoff)
{
    return backoff_next_ms(backoff, BACKOFF_FAILED, 0, UINT32_MAX);
}

Test(backoff, doubles_its_bound_up_to_the_maximum)
{
    static const uint64_t bounds[] = {500, 1000, 2000, 4000, 8000, 16000, 30000, 30000, 30000};
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        cr_assert_eq(longest(&backoff), bounds[i], "step %zu", i);
    }
}

Test(backoff, spreads_from_zero_to_the_bound)
{
    static const struct {
        uint32_t random;
        uint64_t delay_ms;
    } cases[] = {{0, 0}, {UINT32_MAX / 2, 250}, {UINT32_MAX, 500}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct backoff backoff;

        backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
        cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_FAILED, 0, cases[i].random),
                     cases[i].delay_ms);
    }
}

Test(backoff, starts_anew_after_a_reset)
{
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    for (int i = 0; i < 20; i++) {
        longest(&backoff);
    }
    backoff_reset(&backoff);
    cr_assert_eq(longest(&backoff), DELAY_MS);
}

Test(backoff, waits_long_after_a_refusal_from_the_first_one)
{
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_REFUSED, 0, 0), DELAY_MAX_MS);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_REFUSED, 0, UINT32_MAX), DELAY_MAX_MS * 3 / 4);
}

Test(backoff, honours_what_the_server_asks_for_within_ten_minutes)
{
    static const struct {
        uint64_t asked_ms, least_ms, most_ms;
        enum backoff_cause cause;
    } cases[] = {
        {5000, 5000, 5500, BACKOFF_DOWN},
        {60000, 60000, 60500, BACKOFF_REFUSED},
        {UINT64_MAX, 600000, 600500, BACKOFF_FAILED},
        {1, 1, 501, BACKOFF_FAILED},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t random = 0; random <= UINT32_MAX; random += 0x11111111) {
            struct backoff backoff;

            backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
            uint64_t delay_ms =
                backoff_next_ms(&backoff, cases[i].cause, cases[i].asked_ms, (uint32_t)random);

            cr_assert_geq(delay_ms, cases[i].least_ms, "case %zu", i);
            cr_assert_leq(delay_ms, cases[i].most_ms, "case %zu", i);
        }
    }
}

Test(backoff, stays_at_the_maximum_for_ever)
{
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    backoff.failures = UINT32_MAX;
    cr_assert_eq(longest(&backoff), DELAY_MAX_MS);
    cr_assert_eq(longest(&backoff), DELAY_MAX_MS);
}

Test(backoff, is_near_its_bound_when_it_is_steady)
{
    static const uint64_t bounds[] = {1000, 2000, 4000, 8000, 10000, 10000};
    struct backoff low, high;

    backoff_init(&low, 1000, 10000);
    backoff_init(&high, 1000, 10000);
    backoff_set_steady(&low, true);
    backoff_set_steady(&high, true);
    for (size_t i = 0; i < sizeof bounds / sizeof bounds[0]; i++) {
        cr_assert_eq(backoff_next_ms(&low, BACKOFF_DOWN, 0, 0), bounds[i] * 4 / 5);
        cr_assert_eq(backoff_next_ms(&high, BACKOFF_DOWN, 0, UINT32_MAX), bounds[i] * 6 / 5);
    }
}

/* A server that restarts has its clients back within a second of its return. */
Test(backoff, is_quick_while_the_server_is_down_for_two_minutes)
{
    struct backoff backoff;
    uint64_t total_ms = 0;
    uint64_t delay_ms;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    cr_assert_eq(longest(&backoff), 500, "the connection is lost");
    for (;;) {
        delay_ms = backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX);
        if (delay_ms > BACKOFF_QUICK_MS_MAX) {
            break;
        }
        total_ms += delay_ms;
    }
    cr_assert_eq(total_ms, BACKOFF_QUICK_TOTAL_MS);
    for (uint64_t bound_ms = 1000; bound_ms < DELAY_MAX_MS; bound_ms *= 2) {
        cr_assert_eq(delay_ms, bound_ms, "then they double from there");
        delay_ms = backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX);
    }
}

Test(backoff, spreads_the_quick_attempts_too)
{
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    longest(&backoff);
    longest(&backoff);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, 0), 0);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX / 2), 400);
}

/* One that accepts and ends connections is not down: two minutes for each would hammer it. */
Test(backoff, is_quick_again_only_after_a_healthy_connection)
{
    struct backoff backoff;

    backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
    for (unsigned i = 0; i < 1000; i++) {
        backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX);
        longest(&backoff);
    }
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX), DELAY_MAX_MS);
    backoff_reset(&backoff);
    longest(&backoff);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX), BACKOFF_QUICK_MS_MAX);
}

Test(backoff, is_never_quicker_than_the_user_wants)
{
    struct backoff backoff;

    backoff_init(&backoff, 5000, DELAY_MAX_MS);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX), 5000);
    cr_assert_eq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX), 10000);
    backoff_init(&backoff, 10, 40);
    for (unsigned i = 0; i < 10; i++) {
        cr_assert_leq(backoff_next_ms(&backoff, BACKOFF_DOWN, 0, UINT32_MAX), 40);
    }
}
