#include "perf/comparison.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"

static int compare_doubles(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

struct spread comparison_spread(double *values, unsigned count)
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

enum side { SIDE_BASE, SIDE_TARGET, SIDE_COUNT };

struct pair {
    const struct measurement *of[SIDE_COUNT];
};

/* The run of a target in the same round of the same scenario, or NULL. Runs of a round are
 * adjacent: at most all targets apart. */
static const struct measurement *partner_find(const struct measurements *measurements,
                                              unsigned index, enum target target)
{
    const struct measurement *of = &measurements->items[index];
    unsigned first = index < TARGET_COUNT ? 0 : index - TARGET_COUNT;

    for (unsigned i = first; i < measurements->count && i <= index + TARGET_COUNT; i++) {
        const struct measurement *item = &measurements->items[i];

        if (item->target == target && item->round == of->round && same_scenario(item, of)) {
            return item;
        }
    }
    return NULL;
}

/* Base and target of each round from the index on; returns how many pairs there are. */
static unsigned pairs_find(const struct measurements *measurements, unsigned first,
                           enum target base, enum target target,
                           struct pair pairs[static COMPARISON_ROUNDS_MAX])
{
    const struct measurement *items = measurements->items;
    unsigned count = 0;

    for (unsigned i = first; i < measurements->count && same_scenario(&items[i], &items[first]) &&
                             count < COMPARISON_ROUNDS_MAX;
         i++) {
        const struct measurement *partner = partner_find(measurements, i, base);

        if (items[i].target != target || partner == NULL ||
            measurement_cpu_s_per_gb(&items[i]) <= 0 || measurement_cpu_s_per_gb(partner) <= 0) {
            continue;
        }
        pairs[count++] = (struct pair){.of = {[SIDE_BASE] = partner, [SIDE_TARGET] = &items[i]}};
    }
    return count;
}

static struct spread spread_over(const struct pair *pairs, unsigned count, enum side side,
                                 double (*figure)(const struct measurement *))
{
    double values[COMPARISON_ROUNDS_MAX];

    for (unsigned i = 0; i < count; i++) {
        values[i] = figure(pairs[i].of[side]);
    }
    return comparison_spread(values, count);
}

static struct spread ratio_spread(const struct pair *pairs, unsigned count)
{
    double values[COMPARISON_ROUNDS_MAX];

    for (unsigned i = 0; i < count; i++) {
        values[i] = measurement_cpu_s_per_gb(pairs[i].of[SIDE_TARGET]) /
                    measurement_cpu_s_per_gb(pairs[i].of[SIDE_BASE]);
    }
    return comparison_spread(values, count);
}

static unsigned invalid_count(const struct pair *pairs, unsigned count)
{
    unsigned invalid = 0;

    for (unsigned i = 0; i < count; i++) {
        invalid += measurement_verdict(pairs[i].of[SIDE_BASE]) != VERDICT_VALID ||
                   measurement_verdict(pairs[i].of[SIDE_TARGET]) != VERDICT_VALID;
    }
    return invalid;
}

bool comparison_make(const struct measurements *measurements, unsigned first, enum target base,
                     enum target target, struct comparison *ret_comparison)
{
    struct pair pairs[COMPARISON_ROUNDS_MAX];
    unsigned count = pairs_find(measurements, first, base, target, pairs);

    if (count == 0) {
        return false;
    }
    *ret_comparison = (struct comparison){
        .scenario = &measurements->items[first].scenario,
        .base = base,
        .target = target,
        .rounds = count,
        .rounds_invalid = invalid_count(pairs, count),
        .cpu_ratio = ratio_spread(pairs, count),
        .base_cpu = spread_over(pairs, count, SIDE_BASE, measurement_cpu_s_per_gb),
        .target_cpu = spread_over(pairs, count, SIDE_TARGET, measurement_cpu_s_per_gb),
        .base_p50_us = spread_over(pairs, count, SIDE_BASE, p50_us),
        .target_p50_us = spread_over(pairs, count, SIDE_TARGET, p50_us),
        .base_p99_us = spread_over(pairs, count, SIDE_BASE, p99_us),
        .target_p99_us = spread_over(pairs, count, SIDE_TARGET, p99_us),
    };
    return true;
}
