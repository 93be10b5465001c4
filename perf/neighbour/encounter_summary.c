#include "perf/neighbour/encounter_summary.h"

#include "base/check.h"

static double ratio(double part, double whole)
{
    return whole > 0 ? part / whole : 0;
}

/* 0: there is none. A camera that lost nothing has that figure all the same. */
static double figure_of(const struct encounter *e, enum encounter_figure figure)
{
    switch (figure) {
    case ENCOUNTER_ALONE_LOST_PERCENT:
        return encounter_half_lost_percent(&e->alone);
    case ENCOUNTER_ALONE_P50_MS:
        return encounter_half_latency_ms(&e->alone, ENCOUNTER_P50_PPM);
    case ENCOUNTER_ALONE_P99_MS:
        return encounter_half_latency_ms(&e->alone, ENCOUNTER_P99_PPM);
    case ENCOUNTER_BESIDE_LOST_PERCENT:
        return encounter_half_lost_percent(&e->beside);
    case ENCOUNTER_BESIDE_P50_MS:
        return encounter_half_latency_ms(&e->beside, ENCOUNTER_P50_PPM);
    case ENCOUNTER_BESIDE_P99_MS:
        return encounter_half_latency_ms(&e->beside, ENCOUNTER_P99_PPM);
    case ENCOUNTER_BESIDE_MAX_MS:
        return (double)e->beside.camera.result.latency_ns.max / 1e6;
    case ENCOUNTER_P99_RATIO:
        return ratio(encounter_half_latency_ms(&e->beside, ENCOUNTER_P99_PPM),
                     encounter_half_latency_ms(&e->alone, ENCOUNTER_P99_PPM));
    case ENCOUNTER_JOIN_MS:
        return (double)e->beside.visits[VISIT_JOIN].worst_ns / 1e6;
    case ENCOUNTER_STATUS_MS:
        return (double)e->beside.visits[VISIT_STATUS].worst_ns / 1e6;
    case ENCOUNTER_DENY_MS:
        return (double)e->beside.visits[VISIT_DENY].worst_ns / 1e6;
    case ENCOUNTER_FIGURES_COUNT:
        break;
    }
    UNREACHABLE();
}

const char *encounter_summary_text(enum encounter_figure figure)
{
    static const char *const texts[] = {
        [ENCOUNTER_ALONE_LOST_PERCENT] = "alone_lost_percent",
        [ENCOUNTER_ALONE_P50_MS] = "alone_p50_ms",
        [ENCOUNTER_ALONE_P99_MS] = "alone_p99_ms",
        [ENCOUNTER_BESIDE_LOST_PERCENT] = "beside_lost_percent",
        [ENCOUNTER_BESIDE_P50_MS] = "beside_p50_ms",
        [ENCOUNTER_BESIDE_P99_MS] = "beside_p99_ms",
        [ENCOUNTER_BESIDE_MAX_MS] = "beside_max_ms",
        [ENCOUNTER_P99_RATIO] = "p99_ratio",
        [ENCOUNTER_JOIN_MS] = "join_worst_ms",
        [ENCOUNTER_STATUS_MS] = "status_worst_ms",
        [ENCOUNTER_DENY_MS] = "deny_worst_ms",
    };

    CHECK(figure < ENCOUNTER_FIGURES_COUNT);
    return texts[figure];
}

static bool is_of_same(const struct encounter *a, const struct encounter *b)
{
    return a->attack == b->attack && a->target == b->target;
}

static bool is_loss(enum encounter_figure figure)
{
    return figure == ENCOUNTER_ALONE_LOST_PERCENT || figure == ENCOUNTER_BESIDE_LOST_PERCENT;
}

static void figure_summarise(const struct encounters *encounters, unsigned index,
                             enum encounter_figure figure, struct encounter_summary *summary)
{
    double values[COMPARISON_ROUNDS_MAX];
    unsigned count = 0;

    for (unsigned i = index; i < encounters->count && count < COMPARISON_ROUNDS_MAX; i++) {
        const struct encounter *e = &encounters->items[i];

        if (!is_of_same(e, &encounters->items[index]) || e->error[0] != '\0') {
            continue;
        }
        values[count] = figure_of(e, figure);
        count += is_loss(figure) || values[count] > 0;
    }
    summary->figures[figure].rounds = count;
    if (count > 0) {
        summary->figures[figure].spread = comparison_spread(values, count);
    }
}

bool encounter_summary_make(const struct encounters *encounters, unsigned index,
                            struct encounter_summary *ret_summary)
{
    const struct encounter *first = &encounters->items[index];
    struct encounter_summary summary = {.attack = first->attack, .target = first->target};

    for (unsigned i = 0; i < encounters->count; i++) {
        if (is_of_same(&encounters->items[i], first)) {
            bool has_failed = encounters->items[i].error[0] != '\0';

            summary.rounds += !has_failed;
            summary.failed += has_failed;
        }
        if (i < index && summary.rounds + summary.failed > 0) {
            return false;
        }
    }
    if (summary.rounds + summary.failed < 2) {
        return false;
    }
    for (enum encounter_figure figure = 0; figure < ENCOUNTER_FIGURES_COUNT; figure++) {
        figure_summarise(encounters, index, figure, &summary);
    }
    *ret_summary = summary;
    return true;
}
