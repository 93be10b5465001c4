#include "perf/join/join_report.h"

#include <jansson.h>

#include "base/version.h"
#include "perf/footage/footage_report.h"
#include "perf/json_report.h"
#include "perf/machine.h"

static void print_visit(const struct joins_visit *visit, FILE *out)
{
    const struct join_result *result = &visit->result;

    fprintf(out,
            "%-6s %u joins, %u failed, %u began wrong; from the 101 to the first picture p50 %.2f, "
            "p99 %.2f, slowest %.2f ms; to the 101 p50 %.2f, p99 %.2f ms; generator late by %.1f, "
            "stream behind by %.1f ms at most\n",
            measurement_target_text(visit->target), result->joined, result->failed, result->wrong,
            footage_report_ms(&result->first_ns, FOOTAGE_REPORT_P50),
            footage_report_ms(&result->first_ns, FOOTAGE_REPORT_P99),
            (double)result->first_ns.max / 1e6,
            footage_report_ms(&result->open_ns, FOOTAGE_REPORT_P50),
            footage_report_ms(&result->open_ns, FOOTAGE_REPORT_P99), (double)result->late_ns / 1e6,
            (double)result->behind_ns / 1e6);
    if (result->failed > 0) {
        fprintf(out, "       first failure: %s\n", result->failure);
    }
}

void join_report_print_text(const struct joins *joins, FILE *out)
{
    footage_report_print(&joins->footage, joins->cut_bytes, out);
    for (unsigned i = 0; i < joins->count; i++) {
        print_visit(&joins->items[i], out);
    }
}

static json_t *visit_json(const struct joins_visit *visit)
{
    const struct join_result *result = &visit->result;

    return json_pack(
        "{s:s, s:i, s:i, s:i, s:s, s:i, s:o, s:o, s:f, s:f}", "target",
        measurement_target_text(visit->target), "round", (int)visit->round, "joined",
        (int)result->joined, "failed", (int)result->failed, "first_failure", result->failure,
        "wrong", (int)result->wrong, "first_picture_ms", footage_report_times(&result->first_ns),
        "open_ms", footage_report_times(&result->open_ns), "late_max_ms",
        (double)result->late_ns / 1e6, "behind_max_ms", (double)result->behind_ns / 1e6);
}

int join_report_print_json(const struct joins *joins, FILE *out)
{
    json_t *array = json_array();
    int failed = 0;

    for (unsigned i = 0; i < joins->count; i++) {
        failed |= json_array_append_new(array, visit_json(&joins->items[i]));
    }
    json_t *report =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "program", "relay-bench", "version", RELAY_VERSION,
                  "machine", machine_json(), "stream",
                  footage_report_json(&joins->footage, joins->cut_bytes), "joins", array);

    return json_report_print(report, failed == 0, out);
}
