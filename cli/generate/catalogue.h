/* All that the program can do, for what is generated from it: pages, completion. Constant data, any
 * thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/options/option_table.h"
#include "cli/command.h"

struct catalogue {
    const struct command *commands; /* the first words */
    size_t commands_count;
    const struct option_table *const *tables;
    size_t tables_count;
};

enum catalogue_limits { CATALOGUE_TEXT_SIZE = 128 };

/* The first words of an option's help, without the full stop. */
void catalogue_brief(const char *help, char text[static CATALOGUE_TEXT_SIZE]);

/* The words after first in the command of table, as "pipe" in "relay client pipe" comes after
 * "relay client". NULL: none, or it begins otherwise. */
const char *catalogue_next(const struct option_table *table, const char *first);

/* The table of "relay NAME", or NULL. */
const struct option_table *catalogue_find(const struct catalogue *catalogue, const char *name);

/* True for options of which a value always follows. */
bool catalogue_takes_value(const struct option_spec *spec);
