/* Goal: what terminals send is understood, and what is not is left out whole. */
#include "cli/top/keys.h"

#include <criterion/criterion.h>

static void expect_keys(const char *typed, const int *keys, size_t count)
{
    struct bytes input = bytes_of_text(typed);

    for (size_t i = 0; i < count; i++) {
        cr_expect_eq(keys_take(&input), keys[i], "%zu of %s", i, typed + 1);
    }
    cr_expect_eq(input.len, 0);
    cr_expect_eq(keys_take(&input), KEY_NONE);
}

#define EXPECT_KEYS(typed, ...)                                                                    \
    expect_keys(typed, (const int[]){__VA_ARGS__}, ARRAY_LENGTH(((const int[]){__VA_ARGS__})))

Test(keys, are_characters_and_sequences)
{
    EXPECT_KEYS("q ", 'q', ' ');
    EXPECT_KEYS("\033[A\033[Bx", KEY_UP, KEY_DOWN, 'x');
    EXPECT_KEYS("\033OA\033OB\033[5~\033[6~", KEY_UP, KEY_DOWN, KEY_PAGE_UP, KEY_PAGE_DOWN);
    EXPECT_KEYS("\033[H\033[F\033[1~\033[4~\033OH\033OF", KEY_HOME, KEY_END, KEY_HOME, KEY_END,
                KEY_HOME, KEY_END);
}

Test(keys, that_mean_nothing_are_left_out_whole)
{
    EXPECT_KEYS("\033[15~q", KEY_NONE, 'q');
    EXPECT_KEYS("\033[1;5Aq", KEY_NONE, 'q');
    EXPECT_KEYS("\033", KEY_NONE);
    EXPECT_KEYS("\033[", KEY_NONE);
    EXPECT_KEYS("\033[12", KEY_NONE);
    EXPECT_KEYS("\033\033[A", KEY_NONE, KEY_UP);
    EXPECT_KEYS("\033q", KEY_NONE, 'q');
}
