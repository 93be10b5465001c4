/* Goal: names stand for their values, and a list of them reads as a sentence or a syntax does.
 * Method: small lists, with an alias at each end. */
#include <criterion/criterion.h>

#include "base/attributes.h"
#include "base/options/option_choices.h"

static const struct option_choice list[] = {
    {.name = "uno", .value = 1, .is_alias = true},
    {.name = "one", .value = 1},
    {.name = "two", .value = 2},
    {.name = "three", .value = 3},
    {.name = "tres", .value = 3, .is_alias = true},
};
static const struct option_choices choices = {.list = list, .count = ARRAY_LENGTH(list)};

Test(option_choices, are_found_by_name_and_alias)
{
    const struct option_choices any_case = {
        .list = list, .count = ARRAY_LENGTH(list), .ignores_case = true};
    int value = 9;

    cr_assert(!option_choices_find(&choices, "TWO", &value));
    cr_assert(!option_choices_find(&any_case, "tw", &value));
    cr_assert(!option_choices_find(&choices, "", &value));
    cr_assert_eq(value, 9, "it stays");
    cr_assert(option_choices_find(&choices, "two", &value) && value == 2);
    cr_assert(option_choices_find(&choices, "tres", &value) && value == 3);
    cr_assert(option_choices_find(&any_case, "ONE", &value) && value == 1);
}

Test(option_choices, are_listed_without_aliases)
{
    const struct option_choices one = {.list = list, .count = 2};
    char text[32], small[9];

    option_choices_write(&choices, ", ", " or ", text, sizeof text);
    cr_assert_str_eq(text, "one, two or three");
    option_choices_write(&choices, "|", "|", text, sizeof text);
    cr_assert_str_eq(text, "one|two|three");
    option_choices_write(&one, ", ", " or ", text, sizeof text);
    cr_assert_str_eq(text, "one");
    option_choices_write(&choices, ", ", " or ", small, sizeof small);
    cr_assert_str_eq(small, "one, two", "cut off");
}
