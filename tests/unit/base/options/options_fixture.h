/* One table with every type of option, for the tests of what is made from a table. */
#pragma once

#include <stdio.h>
#include <stdlib.h>

#include "base/attributes.h"
#include "base/options/option_table.h"

struct values {
    char *name;
    char *secret;
    bool loud;
    int64_t port;
    int64_t every_ms;
    int colour;
};

enum colour { COLOUR_RED = 7, COLOUR_GREEN = 0, COLOUR_BLUE = 2 };

static const struct option_choice colour_list[] = {
    {.name = "red", .value = COLOUR_RED},
    {.name = "green", .value = COLOUR_GREEN},
    {.name = "verdant", .value = COLOUR_GREEN, .is_alias = true},
    {.name = "blue", .value = COLOUR_BLUE},
};
static const struct option_choices colours = {.list = colour_list,
                                              .count = ARRAY_LENGTH(colour_list)};

static const struct option_spec specs[] = {
    {.env = "T_NAME",
     .flag = "name",
     .type = OPTION_TEXT,
     .offset = offsetof(struct values, name),
     .required = true,
     .help = "What it is called."},
    {.env = "T_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct values, secret),
     .required = true,
     .help = "Never shown."},
    {.env = "T_LOUD",
     .flag = "loud",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct values, loud),
     .default_text = "false",
     .help = "Be loud."},
    {.env = "T_PORT",
     .flag = "port",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct values, port),
     .default_text = "3000",
     .min = 1,
     .max = 65535,
     .help = "Where to listen."},
    {.env = "T_EVERY",
     .flag = "every",
     .type = OPTION_DURATION,
     .offset = offsetof(struct values, every_ms),
     .default_text = "5s",
     .min = 1000,
     .max = 3600000,
     .help = "How often."},
    {.env = "T_COLOUR",
     .flag = "colour",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct values, colour),
     .default_text = "blue",
     .choices = &colours,
     .help = "Its colour."},
};

static const struct option_table table = {.command = "relay test",
                                          .synopsis = "Tests.",
                                          .specs = specs,
                                          .specs_count = ARRAY_LENGTH(specs)};

/* The function's output for the table; the caller frees it. */
static inline char *printed_by(void (*print)(const struct option_table *, FILE *))
{
    char *text = NULL;
    size_t len = 0;
    FILE *out = open_memstream(&text, &len);

    print(&table, out);
    fclose(out);
    return text;
}
