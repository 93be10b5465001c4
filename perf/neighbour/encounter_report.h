/* Reports of encounters for people and for programs. Main thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/neighbour/encounters.h"

/* A line for each encounter, and one for what went wrong in it. */
void encounter_report_print_text(const struct encounters *encounters, FILE *out);

/* One JSON object (perf/README.md describes it). -ENOMEM or -EIO. */
MUST_USE int encounter_report_print_json(const struct encounters *encounters, FILE *out);
