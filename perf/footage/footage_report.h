/* Footage, and times of its pictures, in reports. Any thread. */
#pragma once

#include <jansson.h>
#include <stdio.h>

#include "perf/footage/footage.h"
#include "perf/load/histogram.h"

enum footage_report_ppm { FOOTAGE_REPORT_P50 = 500000, FOOTAGE_REPORT_P99 = 990000 };

/* In ms: so many millionths took at most that long. */
double footage_report_ms(const struct histogram *histogram, unsigned ppm);

/* An object with p50, p99 and max in ms; null when nothing was recorded. NULL without memory. */
json_t *footage_report_times(const struct histogram *histogram);

/* One line, and one object. */
void footage_report_print(const struct footage *footage, size_t cut_bytes, FILE *out);
json_t *footage_report_json(const struct footage *footage, size_t cut_bytes);
