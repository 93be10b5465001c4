/* Reports of rushes for people and for programs. Main thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/connect/connects.h"

/* A line for each, and one for the first failure of it. */
void connect_report_print_text(const struct connects *connects, FILE *out);

/* One JSON object (perf/README.md describes it). -ENOMEM or -EIO. */
MUST_USE int connect_report_print_json(const struct connects *connects, FILE *out);
