/* Reports of crowds for people and for programs. Main thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/crowd/crowds.h"

/* A line for each, and one for the first refusal of it. */
void crowd_report_print_text(const struct crowds *crowds, FILE *out);

/* One JSON object (perf/README.md describes it). -ENOMEM or -EIO. */
MUST_USE int crowd_report_print_json(const struct crowds *crowds, FILE *out);
