/* Figures for people and for programs. Main thread. */
#pragma once

#include <stdbool.h>
#include <stdio.h>

#include "base/attributes.h"
#include "perf/measure.h"

/* Median, smallest and largest of a handful of figures. */
struct spread {
    double median;
    double min;
    double max;
};

/* Sorts values. count > 0. An even count's median is the mean of the middle two. */
struct spread spread_of(double *values, unsigned count);

/* One line per run, and, where floor and server were both measured, one per scenario with the
 * spread of the ratios. */
void report_print_text(const struct measurements *measurements, FILE *out);

/* One JSON object (perf/README.md describes it). -ENOMEM or -EIO. */
MUST_USE int report_print_json(const struct measurements *measurements, FILE *out);

/* What floor and server of the same scenario and round say about each other. */
struct comparison {
    const struct scenario *scenario;
    unsigned rounds;
    unsigned rounds_invalid;    /* with a run that was not valid; they count nonetheless */
    struct spread cpu_ratio;    /* server ÷ floor, processor time per byte delivered */
    struct spread floor_cpu;    /* s per 10⁹ bytes */
    struct spread server_cpu;   /* likewise */
    struct spread floor_p50_us; /* latency */
    struct spread server_p50_us;
    struct spread floor_p99_us;
    struct spread server_p99_us;
};

/* Compares the rounds of the scenario whose first measurement has the index. False when there is
 * no pair of floor and server with processor time; then *ret_comparison is untouched. Allocates
 * nothing; looks at COMPARISON_ROUNDS_MAX rounds at most. */
enum comparison_limits { COMPARISON_ROUNDS_MAX = 1000 };
bool comparison_make(const struct measurements *measurements, unsigned first,
                     struct comparison *ret_comparison);
