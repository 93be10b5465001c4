#include "perf/report.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

struct spread spread_of(double *values, unsigned count)
{
    CHECK(count > 0);
    qsort(values, count, sizeof *values, compare_doubles);
    double upper = values[count / 2];
    double lower = values[(count - 1) / 2];

    return (struct spread){
        .median = (lower + upper) / 2,
        .min = values[0],
        .max = values[count - 1],
    };
}

static double latency_us(const struct measurement *measurement, unsigned ppm)
{
    return (double)histogram_percentile(&measurement->result.latency_ns, ppm) / 1000;
}

static double p50_us(const struct measurement *measurement)
{
    return latency_us(measurement, 500000);
}

static double p99_us(const struct measurement *measurement)
{
    return latency_us(measurement, 990000);
}

static bool same_scenario(const struct measurement *a, const struct measurement *b)
{
    return memcmp(a->scenario.name, b->scenario.name, sizeof a->scenario.name) == 0;
}

struct pair {
    const struct measurement *of[TARGET_COUNT];
};

/* Floor and server of each round from the index on; returns how many pairs there are. */
static unsigned pairs_find(const struct measurements *measurements, unsigned first,
                           struct pair pairs[static COMPARISON_ROUNDS_MAX])
{
    const struct measurement *items = measurements->items;
    unsigned count = 0;

    for (unsigned i = first; i + 1 < measurements->count && count < COMPARISON_ROUNDS_MAX; i++) {
        const struct measurement *a = &items[i];
        const struct measurement *b = &items[i + 1];

        if (!same_scenario(a, &items[first])) {
            break;
        }
        if (!same_scenario(a, b) || a->round != b->round || a->target == b->target ||
            measurement_cpu_s_per_gb(a) <= 0 || measurement_cpu_s_per_gb(b) <= 0) {
            continue;
        }
        pairs[count].of[a->target] = a;
        pairs[count].of[b->target] = b;
        count++;
    }
    return count;
}

static struct spread spread_over(const struct pair *pairs, unsigned count, enum target target,
                                 double (*figure)(const struct measurement *))
{
    double values[COMPARISON_ROUNDS_MAX];

    for (unsigned i = 0; i < count; i++) {
        values[i] = figure(pairs[i].of[target]);
    }
    return spread_of(values, count);
}

static struct spread ratio_spread(const struct pair *pairs, unsigned count)
{
    double values[COMPARISON_ROUNDS_MAX];

    for (unsigned i = 0; i < count; i++) {
        values[i] = measurement_cpu_s_per_gb(pairs[i].of[TARGET_SERVER]) /
                    measurement_cpu_s_per_gb(pairs[i].of[TARGET_FLOOR]);
    }
    return spread_of(values, count);
}

static unsigned invalid_count(const struct pair *pairs, unsigned count)
{
    unsigned invalid = 0;

    for (unsigned i = 0; i < count; i++) {
        invalid += measurement_verdict(pairs[i].of[TARGET_FLOOR]) != VERDICT_VALID ||
                   measurement_verdict(pairs[i].of[TARGET_SERVER]) != VERDICT_VALID;
    }
    return invalid;
}

bool comparison_make(const struct measurements *measurements, unsigned first,
                     struct comparison *ret_comparison)
{
    struct pair pairs[COMPARISON_ROUNDS_MAX];
    unsigned count = pairs_find(measurements, first, pairs);

    if (count == 0) {
        return false;
    }
    *ret_comparison = (struct comparison){
        .scenario = &measurements->items[first].scenario,
        .rounds = count,
        .rounds_invalid = invalid_count(pairs, count),
        .cpu_ratio = ratio_spread(pairs, count),
        .floor_cpu = spread_over(pairs, count, TARGET_FLOOR, measurement_cpu_s_per_gb),
        .server_cpu = spread_over(pairs, count, TARGET_SERVER, measurement_cpu_s_per_gb),
        .floor_p50_us = spread_over(pairs, count, TARGET_FLOOR, p50_us),
        .server_p50_us = spread_over(pairs, count, TARGET_SERVER, p50_us),
        .floor_p99_us = spread_over(pairs, count, TARGET_FLOOR, p99_us),
        .server_p99_us = spread_over(pairs, count, TARGET_SERVER, p99_us),
    };
    return true;
}
