#include "perf/crowd/crowd_report.h"

#include <jansson.h>

#include "base/version.h"
#include "perf/json_report.h"
#include "perf/machine.h"

enum { P50_PPM = 500000, P99_PPM = 990000 };

static double join_ms(const struct crowd_result *result, unsigned ppm)
{
    return (double)histogram_percentile(&result->join_ns, ppm) / 1e6;
}

static double ms(uint64_t ns)
{
    return (double)ns / 1e6;
}

static void print_visit(const struct crowds *crowds, const struct crowd_visit *visit, FILE *out)
{
    const struct crowd_result *result = &visit->result;

    fprintf(out,
            "%-6s %u of %u viewers in, %u refused; the last %.2f s after the first one's time, "
            "who came over %.2f s; join p50 %.1f, p99 %.1f, slowest %.1f ms",
            measurement_target_text(visit->target), result->joined, crowds->viewers,
            result->refused, ms(result->all_in_ns) / 1000, crowds->within_s,
            join_ms(result, P50_PPM), join_ms(result, P99_PPM), ms(result->join_ns.max));
    if (result->message_ns > 0) {
        fprintf(out, "; a message reached all in %.1f ms", ms(result->message_ns));
    } else {
        fprintf(out, "; the message did not reach all");
    }
    fprintf(out, "; generator behind by %.1f ms at most\n", ms(result->behind_ns));
    if (result->refused > 0) {
        fprintf(out, "       first refusal: %s\n", result->refusal);
    }
}

void crowd_report_print_text(const struct crowds *crowds, FILE *out)
{
    for (unsigned i = 0; i < crowds->count; i++) {
        print_visit(crowds, &crowds->items[i], out);
    }
}

static json_t *visit_json(const struct crowd_visit *visit)
{
    const struct crowd_result *result = &visit->result;

    return json_pack("{s:s, s:i, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:o}", "target",
                     measurement_target_text(visit->target), "round", (int)visit->round, "joined",
                     (int)result->joined, "refused", (int)result->refused, "first_refusal",
                     result->refusal, "all_in_ms", ms(result->all_in_ns), "join_p50_ms",
                     join_ms(result, P50_PPM), "join_p99_ms", join_ms(result, P99_PPM),
                     "join_max_ms", ms(result->join_ns.max), "behind_max_ms", ms(result->behind_ns),
                     "message_ms",
                     result->message_ns > 0 ? json_real(ms(result->message_ns)) : json_null());
}

int crowd_report_print_json(const struct crowds *crowds, FILE *out)
{
    json_t *array = json_array();
    int failed = 0;

    for (unsigned i = 0; i < crowds->count; i++) {
        failed |= json_array_append_new(array, visit_json(&crowds->items[i]));
    }
    json_t *report = json_pack("{s:s, s:s, s:o, s:i, s:f, s:o}", "program", "relay-bench",
                               "version", RELAY_VERSION, "machine", machine_json(), "viewers",
                               (int)crowds->viewers, "within_s", crowds->within_s, "crowds", array);

    return json_report_print(report, failed == 0, out);
}
