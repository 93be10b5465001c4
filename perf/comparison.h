/* Comparison of two targets: medians and ratios of the rounds in which both were measured. Pure,
 * any thread. */
#pragma once

#include <stdbool.h>

#include "perf/measurement.h"

enum comparison_limits { COMPARISON_ROUNDS_MAX = 1000 };

/* Median, smallest and largest of a handful of figures. */
struct spread {
    double median;
    double min;
    double max;
};

/* Sorts values. count > 0. An even count's median is the mean of the middle two. */
struct spread comparison_spread(double *values, unsigned count);

/* Comparison of two targets in the rounds of one scenario. */
struct comparison {
    const struct scenario *scenario;
    enum target base, target;
    unsigned rounds;
    unsigned rounds_invalid;   /* with an invalid run; they still count */
    struct spread cpu_ratio;   /* target ÷ base, processor time per byte delivered */
    struct spread base_cpu;    /* s per 10⁹ bytes */
    struct spread target_cpu;  /* likewise */
    struct spread base_p50_us; /* latency */
    struct spread target_p50_us;
    struct spread base_p99_us;
    struct spread target_p99_us;
};

/* Compares the rounds of the scenario whose first measurement has the index. False when there is
 * no pair of base and target with processor time; then *ret_comparison is untouched. Allocates
 * nothing; looks at COMPARISON_ROUNDS_MAX rounds at most. */
bool comparison_make(const struct measurements *measurements, unsigned first, enum target base,
                     enum target target, struct comparison *ret_comparison);
