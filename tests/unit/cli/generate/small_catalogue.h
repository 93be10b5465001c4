/* A program with two commands, one of which has two of its own, and options of each kind with the
 * characters that shells and roff take for their own. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/generate/catalogue.h"

static const struct option_choice way_list[] = {
    {.name = "up"}, {.name = "down"}, {.name = "UP", .is_alias = true}};
static const struct option_choices ways = {.list = way_list, .count = ARRAY_LENGTH(way_list)};

static const struct option_spec run_specs[] = {
    {.env = "X_NAME",
     .flag = "name",
     .type = OPTION_TEXT,
     .help = "The user's [name]: any \\ text. More."},
    {.env = "X_WAY", .flag = "way", .type = OPTION_CHOICE, .choices = &ways, .help = "Way."},
    {.env = "X_FAST", .flag = "fast", .type = OPTION_BOOLEAN, .help = "Fast; faster."},
};
static const struct option_table run_table = {.command = "relay run",
                                              .summary = "run it",
                                              .synopsis = "Runs it.",
                                              .specs = run_specs,
                                              .specs_count = ARRAY_LENGTH(run_specs)};
static const struct option_table far_table = {.command = "relay go far",
                                              .summary = "go a user's way: far",
                                              .synopsis = "Goes.",
                                              .specs = run_specs + 1,
                                              .specs_count = 1};
static const struct option_table near_table = {.command = "relay go near",
                                               .summary = "stay",
                                               .synopsis = "Stays.",
                                               .specs = run_specs + 2,
                                               .specs_count = 1};
static const struct option_table *const tables[] = {&run_table, &far_table, &near_table};
static const struct command commands[] = {{.name = "run", .help = "run the user's well-known \\"},
                                          {.name = "go", .help = "go far or near"}};

UNUSED static const struct catalogue small = {.commands = commands,
                                              .commands_count = ARRAY_LENGTH(commands),
                                              .tables = tables,
                                              .tables_count = ARRAY_LENGTH(tables)};

/* To be freed. */
UNUSED static char *printed_by(void (*print)(const struct catalogue *catalogue, FILE *out))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    cr_assert_not_null(out);
    print(&small, out);
    fclose(out);
    return text;
}

/* Each of the lines, a list that ends with NULL, is in text. */
UNUSED static void expect_lines(const char *text, const char *const *lines)
{
    for (; *lines != NULL; lines++) {
        cr_assert_not_null(strstr(text, *lines), "%s is not in\n%s", *lines, text);
    }
}
