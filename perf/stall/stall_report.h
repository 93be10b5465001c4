/* Runs beside a slow viewer for people and programs. Any thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/stall/stalls.h"

void stall_report_print_text(const struct stalls *stalls, FILE *out);

/* 0 or -errno. */
MUST_USE int stall_report_print_json(const struct stalls *stalls, FILE *out);
