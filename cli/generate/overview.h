/* The page relay(1): what there is. Main thread; writes to out. */
#pragma once

#include <stdio.h>

#include "cli/generate/catalogue.h"

/* In roff, with the pages of all commands under SEE ALSO. */
void overview_print(const struct catalogue *catalogue, const char *version, FILE *out);
