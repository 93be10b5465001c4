/* Reports for people and for programs. Main thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/measurement.h"

/* One line per run, and, where two targets were measured, one per scenario with the spread of the
 * ratios. */
void bench_report_print_text(const struct measurements *measurements, FILE *out);

/* One JSON object (perf/README.md describes it). -ENOMEM or -EIO. */
MUST_USE int bench_report_print_json(const struct measurements *measurements, FILE *out);
