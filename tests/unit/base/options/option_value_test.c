/* Goal: a text becomes the value of its type, or the old value stays and one line says why.
 * Method: each type by itself; command lines are options_test.c's. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/options/option_value.h"
#include "tests/unit/base/options/options_fixture.h"

static char error[OPTIONS_ERROR_SIZE];

static const struct option_spec *spec_of(enum option_type type)
{
    const struct option_spec *spec = specs;

    while (spec->type != type) {
        spec++;
    }
    return spec;
}

Test(option_value, is_set_by_its_type)
{
    struct values values = {0};

    cr_assert_eq(option_value_set(spec_of(OPTION_TEXT), "N", "a b", &values, error), 0);
    cr_assert_eq(option_value_set(spec_of(OPTION_SECRET), "N", "s", &values, error), 0);
    cr_assert_eq(option_value_set(spec_of(OPTION_BOOLEAN), "N", "yes", &values, error), 0);
    cr_assert_eq(option_value_set(spec_of(OPTION_INTEGER), "N", "80", &values, error), 0);
    cr_assert_eq(option_value_set(spec_of(OPTION_DURATION), "N", "2s", &values, error), 0);
    cr_assert_str_eq(values.name, "a b");
    cr_assert_str_eq(values.secret, "s");
    cr_assert(values.loud);
    cr_assert_eq(values.port, 80);
    cr_assert_eq(values.every_ms, 2000);
    for (size_t i = 0; i < ARRAY_LENGTH(specs); i++) {
        option_value_release(&specs[i], &values);
    }
    cr_assert_null(values.name);
    cr_assert_null(values.secret);
    cr_assert_eq(values.port, 80, "no text: it stays");
}

Test(option_value, stays_when_the_text_is_refused)
{
    struct values values = {.port = 7, .every_ms = 9, .loud = true};

    cr_assert_lt(option_value_set(spec_of(OPTION_INTEGER), "N", "x", &values, error), 0);
    cr_assert_str_eq(error, "N must be a whole number but is x");
    cr_assert_eq(option_value_set(spec_of(OPTION_INTEGER), "N", "0", &values, error), -ERANGE);
    cr_assert_lt(option_value_set(spec_of(OPTION_DURATION), "N", "9", &values, error), 0);
    cr_assert_lt(option_value_set(spec_of(OPTION_BOOLEAN), "N", "9", &values, error), 0);
    cr_assert(values.port == 7 && values.every_ms == 9 && values.loud);
}

Test(option_value, is_empty_without_characters_or_at_zero)
{
    char empty[] = "";
    struct values values = {.name = empty};

    cr_assert(option_value_is_empty(spec_of(OPTION_TEXT), &values));
    cr_assert(option_value_is_empty(spec_of(OPTION_SECRET), &values));
    cr_assert(option_value_is_empty(spec_of(OPTION_INTEGER), &values));
    cr_assert(!option_value_is_empty(spec_of(OPTION_BOOLEAN), &values));
    values.port = -1;
    cr_assert(!option_value_is_empty(spec_of(OPTION_INTEGER), &values));
}
