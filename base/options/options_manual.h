/* A page for man(1) from the table of options. Main thread; writes to out. */
#pragma once

#include <stdio.h>

#include "base/options/option_table.h"

/* Section 1, in roff, by the name relay-client-file for "relay client file". */
void options_manual_print(const struct option_table *table, const char *version, FILE *out);
