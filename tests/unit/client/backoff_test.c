/* The pace of retries: bounds, growth, refusals, what a server asks for. */
#include "client/backoff.h"

#include <criterion/criterion.h>

enum { DELAY_MS = 500, DELAY_MAX_MS = 30000 };

static uint64_t longest(struct backoff *backoff)
{
    return backoff_next_ms(backoff, false, 0, UINT32_MAX);
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
        cr_assert_eq(backoff_next_ms(&backoff, false, 0, cases[i].random), cases[i].delay_ms);
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
    cr_assert_eq(backoff_next_ms(&backoff, true, 0, 0), DELAY_MAX_MS);
    cr_assert_eq(backoff_next_ms(&backoff, true, 0, UINT32_MAX), DELAY_MAX_MS * 3 / 4);
}

Test(backoff, honours_what_the_server_asks_for_within_ten_minutes)
{
    static const struct {
        uint64_t asked_ms, least_ms, most_ms;
        bool refused;
    } cases[] = {
        {5000, 5000, 5500, false},
        {60000, 60000, 60500, true},
        {UINT64_MAX, 600000, 600500, false},
        {1, 1, 501, false},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        for (uint64_t random = 0; random <= UINT32_MAX; random += 0x11111111) {
            struct backoff backoff;

            backoff_init(&backoff, DELAY_MS, DELAY_MAX_MS);
            uint64_t delay_ms =
                backoff_next_ms(&backoff, cases[i].refused, cases[i].asked_ms, (uint32_t)random);

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
