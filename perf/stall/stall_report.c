#include "perf/stall/stall_report.h"

#include <jansson.h>
#include <stdlib.h>

#include "base/version.h"
#include "perf/footage/footage_report.h"
#include "perf/json_report.h"
#include "perf/machine.h"

/* The others' p99 with the slow viewer, divided by that without it; 0: one of them is missing. */
static double ratio_of(const struct stall_result *result)
{
    double without_ms = footage_report_ms(&result->without.latency_ns, FOOTAGE_REPORT_P99);
    double with_ms = footage_report_ms(&result->with.latency_ns, FOOTAGE_REPORT_P99);

    return without_ms > 0 ? with_ms / without_ms : 0;
}

static void print_others(const char *when, const struct stall_others *others, FILE *out)
{
    fprintf(out, "       others %s it: %u of %u pictures, p50 %.2f, p99 %.2f, slowest %.2f ms\n",
            when, others->seen, others->due,
            footage_report_ms(&others->latency_ns, FOOTAGE_REPORT_P50),
            footage_report_ms(&others->latency_ns, FOOTAGE_REPORT_P99),
            (double)others->latency_ns.max / 1e6);
}

static void print_visit(const struct stalls_visit *visit, FILE *out)
{
    const struct stall_result *result = &visit->result;
    const struct slow_viewer_result *slow = &result->slow;

    fprintf(out,
            "%-6s slow viewer: %u of %u pictures, %u broken, %s; their age p50 %.0f, p99 %.0f, "
            "oldest %.0f ms\n",
            measurement_target_text(visit->target), slow->seen, result->slow_due, slow->broken,
            slow->is_cut ? "cut off" : "not cut off",
            footage_report_ms(&slow->age_ns, FOOTAGE_REPORT_P50),
            footage_report_ms(&slow->age_ns, FOOTAGE_REPORT_P99), (double)slow->age_ns.max / 1e6);
    print_others("without", &result->without, out);
    print_others("with", &result->with, out);
    fprintf(out, "       p99 with / without %.3f; stream behind by %.1f ms at most\n",
            ratio_of(result), (double)result->behind_ns / 1e6);
}

static int compare_ratios(const void *a, const void *b)
{
    double one = *(const double *)a;
    double two = *(const double *)b;

    return one < two ? -1 : one > two;
}

/* All runs count; 0 without memory. */
static double median_ratio(const struct stalls *stalls)
{
    double *ratios = calloc((size_t)stalls->count + 1, sizeof *ratios);
    double median = 0;

    if (ratios != NULL && stalls->count > 0) {
        for (unsigned i = 0; i < stalls->count; i++) {
            ratios[i] = ratio_of(&stalls->items[i].result);
        }
        qsort(ratios, stalls->count, sizeof *ratios, compare_ratios);
        median = (ratios[(stalls->count - 1) / 2] + ratios[stalls->count / 2]) / 2;
    }
    free(ratios);
    return median;
}

void stall_report_print_text(const struct stalls *stalls, FILE *out)
{
    footage_report_print(&stalls->footage, stalls->cut_bytes, out);
    for (unsigned i = 0; i < stalls->count; i++) {
        print_visit(&stalls->items[i], out);
    }
    if (stalls->count > 1) {
        fprintf(out, "p99 with / without, median of %u runs: %.3f\n", stalls->count,
                median_ratio(stalls));
    }
}

static json_t *others_json(const struct stall_others *others)
{
    return json_pack("{s:i, s:i, s:o}", "due", (int)others->due, "seen", (int)others->seen,
                     "latency_ms", footage_report_times(&others->latency_ns));
}

static json_t *slow_json(const struct stall_result *result)
{
    const struct slow_viewer_result *slow = &result->slow;

    return json_pack("{s:i, s:i, s:i, s:i, s:b, s:o}", "due", (int)result->slow_due, "seen",
                     (int)slow->seen, "dropped",
                     result->slow_due > slow->seen ? (int)(result->slow_due - slow->seen) : 0,
                     "broken", (int)slow->broken, "cut", (int)slow->is_cut, "age_ms",
                     footage_report_times(&slow->age_ns));
}

static json_t *visit_json(const struct stalls_visit *visit)
{
    const struct stall_result *result = &visit->result;

    return json_pack("{s:s, s:i, s:o, s:o, s:o, s:i, s:f, s:f}", "target",
                     measurement_target_text(visit->target), "round", (int)visit->round,
                     "slow_viewer", slow_json(result), "others_without",
                     others_json(&result->without), "others_with", others_json(&result->with),
                     "others_broken", (int)result->others_broken, "p99_ratio", ratio_of(result),
                     "behind_max_ms", (double)result->behind_ns / 1e6);
}

int stall_report_print_json(const struct stalls *stalls, FILE *out)
{
    json_t *array = json_array();
    int failed = 0;

    for (unsigned i = 0; i < stalls->count; i++) {
        failed |= json_array_append_new(array, visit_json(&stalls->items[i]));
    }
    json_t *report = json_pack("{s:s, s:s, s:o, s:o, s:f, s:o}", "program", "relay-bench",
                               "version", RELAY_VERSION, "machine", machine_json(), "stream",
                               footage_report_json(&stalls->footage, stalls->cut_bytes),
                               "p99_ratio_median", median_ratio(stalls), "stalls", array);

    return json_report_print(report, failed == 0, out);
}
