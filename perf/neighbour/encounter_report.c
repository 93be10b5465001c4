#include "perf/neighbour/encounter_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/version.h"
#include "perf/json_report.h"
#include "perf/machine.h"
#include "perf/neighbour/encounter_summary.h"

/* A dash where no picture arrived: 0 would be the best of all. */
static void print_latency(const struct encounter_half *half, double value_ms, FILE *out)
{
    if (half->camera.result.latency_ns.count == 0) {
        fprintf(out, " %8s", "-");
    } else {
        fprintf(out, " %8.2f", value_ms);
    }
}

static void print_camera(const struct encounter_half *half, FILE *out)
{
    fprintf(out, " | %6.2f", encounter_half_lost_percent(half));
    print_latency(half, encounter_half_latency_ms(half, ENCOUNTER_P50_PPM), out);
    print_latency(half, encounter_half_latency_ms(half, ENCOUNTER_P99_PPM), out);
}

/* A dash where none succeeded. */
static void print_visit(const struct visit_result *result, FILE *out)
{
    if (result->worst_ns == 0) {
        fprintf(out, " %8s", "-");
    } else {
        fprintf(out, " %8.1f", (double)result->worst_ns / 1e6);
    }
}

static void print_header(FILE *out)
{
    fprintf(out, "%-10s %-6s | %-24s | %-33s | %-26s | %-20s | %s\n", "", "", "camera alone",
            "camera beside", "worst beside, ms", "memory, MB", "attacker's connections");
    fprintf(out,
            "%-10s %-6s | %6s %8s %8s | %6s %8s %8s %8s | %8s %8s %8s | %6s %6s %6s | %8s %6s %7s "
            "%7s\n",
            "neighbour", "target", "lost %", "p50 ms", "p99 ms", "lost %", "p50 ms", "p99 ms",
            "max ms", "join", "status", "deny", "before", "peak", "after", "opened", "most", "cut",
            "refused");
}

static void print_figures(const struct encounter *e, FILE *out)
{
    fprintf(out, "%-10s %-6s", e->attack->name, measurement_target_text(e->target));
    print_camera(&e->alone, out);
    print_camera(&e->beside, out);
    print_latency(&e->beside, (double)e->beside.camera.result.latency_ns.max / 1e6, out);
    fprintf(out, " |");
    for (enum visit visit = 0; visit < VISIT_COUNT; visit++) {
        print_visit(&e->beside.visits[visit], out);
    }
    fprintf(out, " | %6.1f %6.1f %6.1f | %8" PRIu64 " %6" PRIu64 " %7" PRIu64 " %7" PRIu64 "\n",
            (double)e->rss_before_bytes / 1e6, (double)e->rss_peak_bytes / 1e6,
            (double)e->rss_after_bytes / 1e6, e->attacker.opened, e->attacker.open_peak,
            e->attacker.cut, e->attacker.refused);
}

/* Details that have no column, if there are any. */
static void print_half(const struct encounter_half *half, const char *name, FILE *out)
{
    const struct load_result *result = &half->camera.result;
    enum verdict verdict = measurement_verdict(&half->camera);

    if (verdict != VERDICT_VALID) {
        fprintf(out, "           %s: %s\n", name, measurement_verdict_text(verdict));
    }
    if (result->whole_run.closed > 0) {
        fprintf(out, "           %s: connections cut: %" PRIu64 "; first: %s\n", name,
                result->whole_run.closed, result->first_cut);
    }
    for (enum visit visit = 0; visit < VISIT_COUNT; visit++) {
        if (half->visits[visit].failed > 0) {
            fprintf(out, "           %s: %s failed %" PRIu64 " of %" PRIu64 "; first: %s\n", name,
                    visitor_visit_text(visit), half->visits[visit].failed,
                    half->visits[visit].count, half->visits[visit].failure);
        }
    }
}

static void print_summary_header(FILE *out)
{
    fprintf(out,
            "\nmedian (min to max) of the runs, each of which had both halves; ms\n"
            "%-10s %-6s %4s | %-25s %-25s | %-25s %-25s %-25s %-25s | %-25s | %-25s %-25s %-25s\n",
            "neighbour", "target", "runs", "alone p50", "p99", "beside lost %", "p50", "p99", "max",
            "p99 beside/alone", "join", "status", "deny");
}

/* A dash where no run has it. */
static void print_spread(const struct encounter_summary *summary, enum encounter_figure figure,
                         FILE *out)
{
    const struct spread *spread = &summary->figures[figure].spread;
    char text[64] = "-";

    if (summary->figures[figure].rounds > 0) {
        snprintf(text, sizeof text, "%.2f (%.2f to %.2f)", spread->median, spread->min,
                 spread->max);
    }
    fprintf(out, " %-25s", text);
}

static void print_summary(const struct encounter_summary *summary, FILE *out)
{
    fprintf(out, "%-10s %-6s %4u |", summary->attack->name,
            measurement_target_text(summary->target), summary->rounds);
    for (enum encounter_figure figure = ENCOUNTER_ALONE_P50_MS; figure < ENCOUNTER_FIGURES_COUNT;
         figure++) {
        bool ends_group = figure == ENCOUNTER_ALONE_P99_MS || figure == ENCOUNTER_BESIDE_MAX_MS ||
                          figure == ENCOUNTER_P99_RATIO;

        print_spread(summary, figure, out);
        fprintf(out, "%s", ends_group ? " |" : "");
    }
    if (summary->failed > 0) {
        fprintf(out, " | %u runs failed", summary->failed);
    }
    fprintf(out, "\n");
}

static void print_summaries(const struct encounters *encounters, FILE *out)
{
    struct encounter_summary summary;
    bool has_header = false;

    for (unsigned i = 0; i < encounters->count; i++) {
        if (encounter_summary_make(encounters, i, &summary)) {
            if (!has_header) {
                print_summary_header(out);
            }
            has_header = true;
            print_summary(&summary, out);
        }
    }
}

void encounter_report_print_text(const struct encounters *encounters, FILE *out)
{
    print_header(out);
    for (unsigned i = 0; i < encounters->count; i++) {
        const struct encounter *encounter = &encounters->items[i];

        if (encounter->error[0] != '\0') {
            fprintf(out, "%-10s %-6s | %s: %s\n", encounter->attack->name,
                    measurement_target_text(encounter->target),
                    encounter->is_left_out ? "left out" : "failed", encounter->error);
            continue;
        }
        print_figures(encounter, out);
        print_half(&encounter->alone, "alone", out);
        print_half(&encounter->beside, "beside", out);
    }
    print_summaries(encounters, out);
}

static json_t *visit_json(const struct visit_result *result)
{
    return json_pack("{s:I, s:I, s:f, s:s}", "count", (json_int_t)result->count, "failed",
                     (json_int_t)result->failed, "worst_ms", (double)result->worst_ns / 1e6,
                     "first_failure", result->failure);
}

static json_t *half_json(const struct encounter_half *half)
{
    const struct load_result *result = &half->camera.result;

    return json_pack(
        "{s:s, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:o, s:o, s:o}", "verdict",
        measurement_verdict_text(measurement_verdict(&half->camera)), "lost_percent",
        encounter_half_lost_percent(half), "expected", (json_int_t)result->whole_run.expected,
        "lost", (json_int_t)result->whole_run.lost, "held", (json_int_t)result->held,
        "connections_cut", (json_int_t)result->whole_run.closed, "p50_ms",
        encounter_half_latency_ms(half, ENCOUNTER_P50_PPM), "p99_ms",
        encounter_half_latency_ms(half, ENCOUNTER_P99_PPM), "max_ms",
        (double)result->latency_ns.max / 1e6, "join", visit_json(&half->visits[VISIT_JOIN]),
        "status", visit_json(&half->visits[VISIT_STATUS]), "deny",
        visit_json(&half->visits[VISIT_DENY]));
}

static json_t *attacker_json(const struct encounter *e)
{
    return json_pack("{s:I, s:I, s:I, s:I, s:I}", "opened", (json_int_t)e->attacker.opened,
                     "open_peak", (json_int_t)e->attacker.open_peak, "cut",
                     (json_int_t)e->attacker.cut, "refused", (json_int_t)e->attacker.refused,
                     "sent_bytes", (json_int_t)e->attacker.sent_bytes);
}

static json_t *encounter_json(const struct encounter *e)
{
    const char *target = measurement_target_text(e->target);

    if (e->error[0] != '\0') {
        return json_pack("{s:s, s:s, s:i, s:s}", "attack", e->attack->name, "target", target,
                         "round", (int)e->round, e->is_left_out ? "left_out" : "failed", e->error);
    }
    return json_pack("{s:s, s:s, s:i, s:o, s:o, s:o, s:I, s:I, s:I}", "attack", e->attack->name,
                     "target", target, "round", (int)e->round, "alone", half_json(&e->alone),
                     "beside", half_json(&e->beside), "attacker", attacker_json(e),
                     "rss_before_bytes", (json_int_t)e->rss_before_bytes, "rss_peak_bytes",
                     (json_int_t)e->rss_peak_bytes, "rss_after_bytes",
                     (json_int_t)e->rss_after_bytes);
}

static json_t *spread_json(const struct encounter_summary *summary, enum encounter_figure figure)
{
    const struct spread *spread = &summary->figures[figure].spread;

    return summary->figures[figure].rounds > 0
               ? json_pack("{s:f, s:f, s:f}", "median", spread->median, "min", spread->min, "max",
                           spread->max)
               : json_null();
}

static json_t *summary_json(const struct encounter_summary *summary)
{
    json_t *object = json_pack("{s:s, s:s, s:i, s:i}", "attack", summary->attack->name, "target",
                               measurement_target_text(summary->target), "runs",
                               (int)summary->rounds, "failed", (int)summary->failed);
    int failed = 0;

    for (enum encounter_figure figure = 0; figure < ENCOUNTER_FIGURES_COUNT; figure++) {
        failed |= json_object_set_new(object, encounter_summary_text(figure),
                                      spread_json(summary, figure));
    }
    if (failed != 0) {
        json_decref(object);
        return NULL;
    }
    return object;
}

int encounter_report_print_json(const struct encounters *encounters, FILE *out)
{
    struct encounter_summary summary;
    json_t *array = json_array();
    json_t *summaries = json_array();
    int failed = 0;

    for (unsigned i = 0; i < encounters->count; i++) {
        failed |= json_array_append_new(array, encounter_json(&encounters->items[i]));
        if (encounter_summary_make(encounters, i, &summary)) {
            failed |= json_array_append_new(summaries, summary_json(&summary));
        }
    }
    json_t *report =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "program", "relay-bench", "version", RELAY_VERSION,
                  "machine", machine_json(), "neighbours", array, "summaries", summaries);

    return json_report_print(report, failed == 0, out);
}
