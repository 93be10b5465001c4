/* Runs of joins for people and programs. Any thread. */
#pragma once

#include <stdio.h>

#include "base/attributes.h"
#include "perf/join/joins.h"

void join_report_print_text(const struct joins *joins, FILE *out);

/* 0 or -errno. */
MUST_USE int join_report_print_json(const struct joins *joins, FILE *out);
