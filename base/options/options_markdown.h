/* The table of docs/operations.md from the table of options. Main thread; writes to out. */
#pragma once

#include <stdio.h>

#include "base/options/option_table.h"

void options_markdown_print(const struct option_table *table, FILE *out);
