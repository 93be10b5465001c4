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

Test(option_value, of_a_choice_is_that_of_its_name)
{
    struct values values = {.colour = 5};

    cr_assert_eq(option_value_set(spec_of(OPTION_CHOICE), "N", "red", &values, error), 0);
    cr_assert_eq(values.colour, COLOUR_RED);
    cr_assert_eq(option_value_set(spec_of(OPTION_CHOICE), "N", "verdant", &values, error), 0);
    cr_assert_eq(values.colour, COLOUR_GREEN);
    cr_assert(!option_value_is_unknown(spec_of(OPTION_CHOICE), &values));
    cr_assert(!option_value_is_empty(spec_of(OPTION_CHOICE), &values));
}

Test(option_value, of_a_choice_that_there_is_not_is_unknown)
{
    static const char *const others[] = {"", "Red", "re", "reds", "red ", "grey"};

    for (size_t i = 0; i < ARRAY_LENGTH(others); i++) {
        struct values values = {.colour = COLOUR_RED};
        char expected[128];

        cr_assert_eq(
            option_value_set(spec_of(OPTION_CHOICE), "--colour", others[i], &values, error),
            -ENOENT);
        cr_assert(option_value_is_unknown(spec_of(OPTION_CHOICE), &values));
        snprintf(expected, sizeof expected, "T_COLOUR must be red, green or blue, not %s",
                 others[i]);
        cr_assert_str_eq(error, expected);
    }
}

/* "RELAY_LOG_LEVEL can be …, fatal or panic but not x" */
Test(option_value, of_a_choice_can_be_refused_in_the_words_of_practable)
{
    struct option_choices old_colours = colours;
    struct option_spec spec = *spec_of(OPTION_CHOICE);
    struct values values = {.colour = COLOUR_RED};

    old_colours.has_old_words = true;
    spec.choices = &old_colours;
    cr_assert_eq(option_value_set(&spec, "--colour", "grey", &values, error), -ENOENT);
    cr_assert_str_eq(error, "T_COLOUR can be red, green or blue but not grey");
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

Test(option_value, is_written_as_it_could_be_set_but_for_secrets)
{
    struct values values = {.loud = true, .port = 80, .every_ms = 2000, .colour = COLOUR_GREEN};
    static const char *const expected[] = {"", "", "true", "80", "2000ms", "green"};
    char text[32];

    for (size_t i = 0; i < ARRAY_LENGTH(specs); i++) {
        option_value_write(&specs[i], &values, text, sizeof text);
        cr_assert_str_eq(text, expected[i], "%s", specs[i].env);
    }
    cr_assert_eq(option_value_set(spec_of(OPTION_SECRET), "N", "Sesame", &values, error), 0);
    option_value_write(spec_of(OPTION_SECRET), &values, text, sizeof text);
    cr_assert_str_eq(text, "(secret)");
    option_value_release(spec_of(OPTION_SECRET), &values);
}
