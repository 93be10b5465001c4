/* Medians of encounters made by hand. */
#include "perf/neighbour/encounter_summary.h"

#include <criterion/criterion.h>
#include <math.h>
#include <stdlib.h>
#include <string.h>

enum { MS = 1000000 };

static const struct attack tiny = {.name = "tiny"};
static const struct attack pings = {.name = "pings"};

static bool is_near(double a, double b)
{
    return fabs(a - b) < b / 100;
}

static struct encounters encounters_of(unsigned count)
{
    return (struct encounters){.items = calloc(count, sizeof(struct encounter))};
}

static struct encounter *add(struct encounters *all, const struct attack *attack,
                             enum target target, uint64_t alone_ms, uint64_t beside_ms)
{
    struct encounter *e = &all->items[all->count++];

    *e = (struct encounter){.attack = attack, .target = target};
    histogram_record(&e->alone.camera.result.latency_ns, alone_ms * MS);
    histogram_record(&e->beside.camera.result.latency_ns, beside_ms * MS);
    return e;
}

Test(encounter_summary, has_median_and_ends_of_each_attack_and_target)
{
    struct encounters all = encounters_of(7);
    struct encounter_summary summary;

    add(&all, &tiny, TARGET_SERVER, 1, 4);
    add(&all, &tiny, TARGET_SERVER_TLS, 5, 5);
    add(&all, &tiny, TARGET_SERVER, 2, 4);
    add(&all, &tiny, TARGET_SERVER_TLS, 5, 50);
    add(&all, &tiny, TARGET_SERVER, 10, 30);
    add(&all, &pings, TARGET_SERVER, 7, 7);
    add(&all, &pings, TARGET_SERVER, 9, 9);
    cr_assert(encounter_summary_make(&all, 0, &summary));
    cr_assert_eq(summary.attack, &tiny);
    cr_assert_eq(summary.target, TARGET_SERVER);
    cr_assert_eq(summary.rounds, 3);
    cr_assert(is_near(summary.figures[ENCOUNTER_ALONE_P50_MS].spread.median, 2));
    cr_assert(is_near(summary.figures[ENCOUNTER_BESIDE_P99_MS].spread.min, 4));
    cr_assert(is_near(summary.figures[ENCOUNTER_BESIDE_MAX_MS].spread.max, 30));
    cr_assert(is_near(summary.figures[ENCOUNTER_P99_RATIO].spread.median, 3),
              "ratios are of one round");
    cr_assert(encounter_summary_make(&all, 1, &summary));
    cr_assert_eq(summary.target, TARGET_SERVER_TLS);
    cr_assert(is_near(summary.figures[ENCOUNTER_BESIDE_P99_MS].spread.median, 27.5));
    cr_assert(encounter_summary_make(&all, 5, &summary));
    cr_assert_eq(summary.attack, &pings);
    cr_assert_eq(summary.rounds, 2);
    encounters_release(&all);
}

Test(encounter_summary, is_made_once_and_of_several_only)
{
    struct encounters all = encounters_of(3);
    struct encounter_summary summary;

    add(&all, &tiny, TARGET_SERVER, 1, 4);
    add(&all, &pings, TARGET_SERVER, 1, 4);
    add(&all, &tiny, TARGET_SERVER, 1, 4);
    cr_assert(encounter_summary_make(&all, 0, &summary));
    cr_assert_not(encounter_summary_make(&all, 1, &summary), "a single one");
    cr_assert_not(encounter_summary_make(&all, 2, &summary), "not the first");
    encounters_release(&all);
}

Test(encounter_summary, leaves_out_runs_and_figures_that_are_not_there)
{
    struct encounters all = encounters_of(3);
    struct encounter_summary summary;

    memcpy(add(&all, &tiny, TARGET_SERVER, 100, 100)->error, "no memory", sizeof "no memory");
    all.items[all.count++] = (struct encounter){.attack = &tiny, .target = TARGET_SERVER};
    add(&all, &tiny, TARGET_SERVER, 2, 4)->beside.visits[VISIT_DENY].worst_ns = 8 * MS;
    cr_assert(encounter_summary_make(&all, 0, &summary));
    cr_assert_eq(summary.rounds, 2);
    cr_assert_eq(summary.failed, 1);
    cr_assert_eq(summary.figures[ENCOUNTER_BESIDE_LOST_PERCENT].rounds, 2);
    cr_assert_eq(summary.figures[ENCOUNTER_BESIDE_P99_MS].rounds, 1, "no picture, no latency");
    cr_assert(is_near(summary.figures[ENCOUNTER_BESIDE_P99_MS].spread.max, 4));
    cr_assert(is_near(summary.figures[ENCOUNTER_DENY_MS].spread.max, 8));
    cr_assert_eq(summary.figures[ENCOUNTER_JOIN_MS].rounds, 0);
    encounters_release(&all);
}
