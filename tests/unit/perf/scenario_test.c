/* Scenario letters and shapes: what users type. */
#include "perf/scenario.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

Test(scenario, letters_give_their_shapes)
{
    static const char *const shapes[] = {"1x1x4096@2000", "1x1x65536@1000", "20x2x4096@100",
                                         "100x2x4096@25", "1x100x4096@100", "1x100x65536@25"};
    struct scenario_list list;
    char text[SCENARIO_TEXT_SIZE];

    cr_assert_eq(scenario_list_parse("A-F", &list), 0);
    cr_assert_eq(list.count, 6);
    for (unsigned i = 0; i < list.count; i++) {
        scenario_text(&list.items[i], text);
        cr_assert_str_eq(text, shapes[i]);
    }
}

Test(scenario, lists_and_ranges_are_read)
{
    static const struct {
        const char *text;
        const char *names;
    } rows[] = {{"A", "A"},          {"f", "F"},       {"A,C", "AC"}, {"C-E", "CDE"},
                {"A,C-D,F", "ACDF"}, {"E,A,E", "EAE"}, {"B-B", "B"}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario_list list;
        char names[SCENARIO_LIST_MAX + 1] = "";

        cr_assert_eq(scenario_list_parse(rows[i].text, &list), 0, "%s", rows[i].text);
        for (unsigned k = 0; k < list.count; k++) {
            names[k] = list.items[k].name[0];
        }
        cr_assert_str_eq(names, rows[i].names);
    }
}

Test(scenario, other_lists_are_refused)
{
    static const char *const rows[] = {"",    "G",   "A-",   "-A",  "A,",    ",A",
                                       "B-A", "A B", "A--C", "A-G", "A-B-C", "1"};
    struct scenario_list list = {.count = 42};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_eq(scenario_list_parse(rows[i], &list), -EINVAL, "%s", rows[i]);
        cr_assert_eq(list.count, 42);
    }
    cr_assert_eq(scenario_list_parse("A-F,A-F,A-F,A-F,A-F,A-F", &list), -E2BIG);
}

Test(scenario, comes_in_numbers_of_viewers)
{
    struct scenario scenario = {.name = "custom", .topics = 2, .viewers = 9, .bytes = 99};
    struct scenario_list list;

    cr_assert_eq(scenario_list_of_viewers(&scenario, "1,10,400", &list), 0);
    cr_assert_eq(list.count, 3);
    cr_expect_str_eq(list.items[2].name, "x400");
    cr_expect_eq(list.items[2].viewers, 400);
    cr_expect_eq(list.items[2].topics, 2);
    cr_expect_eq(list.items[2].bytes, 99);
}

Test(scenario, other_numbers_of_viewers_are_refused)
{
    static const char *const rows[] = {"",   ",",  "0",   "1,",  ",1",
                                       "-1", " 1", "1;2", "1,x", "100001"};
    struct scenario scenario = {.topics = 1};
    struct scenario_list list = {.count = 42};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_expect_eq(scenario_list_of_viewers(&scenario, rows[i], &list), -EINVAL, "%s", rows[i]);
        cr_expect_eq(list.count, 42);
    }
    cr_expect_eq(scenario_list_of_viewers(&scenario,
                                          "1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,1,"
                                          "1,1,1,1,1,1",
                                          &list),
                 -E2BIG);
}

Test(scenario, counts_connections)
{
    struct scenario scenario = {.topics = 20, .viewers = 2, .rate = 1};

    cr_assert_eq(scenario_connections(&scenario), 60);
    scenario.rate = 0;
    cr_assert_eq(scenario_connections(&scenario), 40);
}
