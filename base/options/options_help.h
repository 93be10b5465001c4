/* --help, from the table of options. Main thread; writes to out. */
#pragma once

#include <stdio.h>

#include "base/options/option_table.h"

void options_help_print(const struct option_table *table, FILE *out);

/* The values of an option as they follow its flag: TEXT, N, true|false, auto|off. */
void options_help_print_values(const struct option_spec *spec, FILE *out);
