/* Medians and ratios from measurements made by hand. */
#include "perf/comparison.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "perf/bench_report.h"

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

Test(spread, is_median_and_ends)
{
    double odd[] = {3, 1, 2};
    double even[] = {4, 1, 3, 2};
    double one[] = {7};
    struct spread spread = comparison_spread(odd, 3);

    cr_assert(is_near(spread.median, 2) && is_near(spread.min, 1) && is_near(spread.max, 3));
    spread = comparison_spread(even, 4);
    cr_assert(is_near(spread.median, 2.5) && is_near(spread.min, 1) && is_near(spread.max, 4));
    spread = comparison_spread(one, 1);
    cr_assert(is_near(spread.median, 7) && is_near(spread.min, 7) && is_near(spread.max, 7));
}

static void add(struct measurements *all, const char *name, enum target target, unsigned round,
                uint64_t cpu_ns)
{
    struct measurement *m = &all->items[all->count++];

    *m = (struct measurement){.target = target, .round = round, .has_usage = true};
    snprintf(m->scenario.name, sizeof m->scenario.name, "%s", name);
    m->scenario.rate = 100;
    m->scenario.topics = 1;
    m->scenario.viewers = 1;
    m->result.window_ns = 1000000000;
    m->result.planned = 100;
    m->result.delivered = 100;
    m->result.delivered_bytes = 1000;
    m->result.server.window_end.cpu_ns = cpu_ns;
}

static struct measurements measurements_of(unsigned count)
{
    return (struct measurements){.items = calloc(count, sizeof(struct measurement))};
}

Test(comparison, pairs_the_runs_of_each_round)
{
    struct measurements all = measurements_of(8);
    struct comparison comparison;

    add(&all, "A", TARGET_FLOOR, 0, 1000);
    add(&all, "A", TARGET_SERVER, 0, 2000);
    add(&all, "A", TARGET_SERVER, 1, 1500); /* odd rounds begin with the server */
    add(&all, "A", TARGET_FLOOR, 1, 1000);
    add(&all, "A", TARGET_FLOOR, 2, 4000);
    add(&all, "A", TARGET_SERVER, 2, 4000);
    add(&all, "B", TARGET_FLOOR, 0, 1000);
    add(&all, "B", TARGET_SERVER, 0, 9000);
    cr_assert(comparison_make(&all, 0, TARGET_FLOOR, TARGET_SERVER, &comparison));
    cr_assert_eq(comparison.rounds, 3);
    cr_assert_eq(comparison.rounds_invalid, 0);
    cr_assert(is_near(comparison.cpu_ratio.median, 1.5));
    cr_assert(is_near(comparison.cpu_ratio.min, 1));
    cr_assert(is_near(comparison.cpu_ratio.max, 2));
    cr_assert(is_near(comparison.base_cpu.median, 1));
    cr_assert(is_near(comparison.target_cpu.median, 2));
    cr_assert(comparison_make(&all, 6, TARGET_FLOOR, TARGET_SERVER, &comparison));
    cr_assert_eq(comparison.rounds, 1);
    cr_assert(is_near(comparison.cpu_ratio.median, 9));
    measurement_release_all(&all);
}

Test(comparison, takes_any_two_of_three_targets)
{
    struct measurements all = measurements_of(6);
    struct comparison comparison;

    add(&all, "A", TARGET_FLOOR, 0, 1000);
    add(&all, "A", TARGET_SERVER, 0, 2000);
    add(&all, "A", TARGET_SERVER_TLS, 0, 6000);
    add(&all, "A", TARGET_SERVER, 1, 2000); /* each round begins with another one */
    add(&all, "A", TARGET_SERVER_TLS, 1, 8000);
    add(&all, "A", TARGET_FLOOR, 1, 1000);
    cr_assert(comparison_make(&all, 0, TARGET_FLOOR, TARGET_SERVER_TLS, &comparison));
    cr_assert(comparison.rounds == 2 && is_near(comparison.cpu_ratio.median, 7));
    cr_assert(comparison_make(&all, 0, TARGET_SERVER, TARGET_SERVER_TLS, &comparison));
    cr_assert(comparison.rounds == 2 && is_near(comparison.cpu_ratio.median, 3.5));
    cr_assert(comparison_make(&all, 0, TARGET_FLOOR, TARGET_SERVER, &comparison));
    cr_assert(comparison.rounds == 2 && is_near(comparison.cpu_ratio.median, 2));
    measurement_release_all(&all);
}

Test(comparison, needs_a_pair)
{
    struct measurements all = measurements_of(3);
    struct comparison comparison;

    add(&all, "A", TARGET_SERVER, 0, 1000);
    add(&all, "A", TARGET_SERVER, 1, 1000);
    add(&all, "B", TARGET_FLOOR, 1, 1000);
    for (unsigned i = 0; i < all.count; i++) {
        cr_assert_not(comparison_make(&all, i, TARGET_FLOOR, TARGET_SERVER, &comparison));
    }
    measurement_release_all(&all);
}

Test(comparison, counts_rounds_that_are_not_valid)
{
    struct measurements all = measurements_of(4);
    struct comparison comparison;

    add(&all, "A", TARGET_FLOOR, 0, 1000);
    add(&all, "A", TARGET_SERVER, 0, 1000);
    add(&all, "A", TARGET_FLOOR, 1, 1000);
    add(&all, "A", TARGET_SERVER, 1, 1000);
    all.items[2].result.late = 2;
    cr_assert(comparison_make(&all, 0, TARGET_FLOOR, TARGET_SERVER, &comparison));
    cr_assert_eq(comparison.rounds_invalid, 1);
    measurement_release_all(&all);
}
