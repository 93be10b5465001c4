/* Goal: commands are found by their words, and a brief help ends where a sentence does.
 * Method: a small program. */
#include "tests/unit/cli/generate/small_catalogue.h"

Test(catalogue, brief_help_is_the_first_part_of_a_sentence)
{
    static const struct {
        const char *help, *brief;
    } cases[] = {{"Port.", "Port"},
                 {"TCP port; 0 takes a free one.", "TCP port"},
                 {"Way: up or down. More.", "Way"},
                 {"Time (Go syntax), 1.5s.", "Time"},
                 {"Address of 127.0.0.1", "Address of 127.0.0.1"},
                 {"", ""}};
    char text[CATALOGUE_TEXT_SIZE];

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        catalogue_brief(cases[i].help, text);
        cr_assert_str_eq(text, cases[i].brief);
    }
}

Test(catalogue, long_help_is_cut_between_words)
{
    char help[3 * CATALOGUE_TEXT_SIZE], text[CATALOGUE_TEXT_SIZE];

    for (size_t i = 0; i < sizeof help - 1; i++) {
        help[i] = i % 10 == 9 ? ' ' : 'x';
    }
    help[sizeof help - 1] = '\0';
    catalogue_brief(help, text);
    cr_assert_eq(strlen(text), CATALOGUE_TEXT_SIZE / 10 * 10 - 1);
}

Test(catalogue, finds_tables_and_following_words)
{
    cr_assert_eq(catalogue_find(&small, "run"), &run_table);
    cr_assert_eq(catalogue_find(&small, "go far"), &far_table);
    cr_assert_null(catalogue_find(&small, "go"));
    cr_assert_str_eq(catalogue_next(&far_table, "relay go"), "far");
    cr_assert_null(catalogue_next(&far_table, "relay g"));
    cr_assert_null(catalogue_next(&far_table, "relay go far"));
}

Test(catalogue, booleans_may_stand_alone)
{
    cr_assert(catalogue_takes_value(&run_specs[0]));
    cr_assert(catalogue_takes_value(&run_specs[1]));
    cr_assert_not(catalogue_takes_value(&run_specs[2]));
}
