#include "perf/connect/connect_report.h"

#include <jansson.h>

#include "base/version.h"
#include "perf/json_report.h"
#include "perf/machine.h"

enum { P50_PPM = 500000, P99_PPM = 990000 };

static double each_ms(const struct connect_result *result, unsigned ppm)
{
    return (double)histogram_percentile(&result->each_ns, ppm) / 1e6;
}

static double per_second(const struct connect_result *result)
{
    return result->wall_ns > 0 ? result->done * 1e9 / (double)result->wall_ns : 0;
}

static double cpu_us_each(const struct connect_result *result)
{
    return result->done > 0 ? (double)result->server_cpu_ns / 1e3 / result->done : 0;
}

static double cpu_percent(const struct connect_result *result)
{
    return result->wall_ns > 0 ? 100.0 * (double)result->server_cpu_ns / (double)result->wall_ns
                               : 0;
}

static void print_item(const struct connects_item *item, FILE *out)
{
    const struct connect_result *result = &item->result;

    fprintf(out,
            "%-6s %-9s %u done, %u failed: %.0f a second; the server spent %.1f us on each, %.0f%% "
            "of one CPU; p50 %.2f, p99 %.2f, slowest %.1f ms\n",
            measurement_target_text(item->target), connect_kind_text(item->kind), result->done,
            result->failed, per_second(result), cpu_us_each(result), cpu_percent(result),
            each_ms(result, P50_PPM), each_ms(result, P99_PPM), (double)result->each_ns.max / 1e6);
    if (result->failed > 0) {
        fprintf(out, "       first failure: %s\n", result->failure);
    }
}

void connect_report_print_text(const struct connects *connects, FILE *out)
{
    for (unsigned i = 0; i < connects->count; i++) {
        print_item(&connects->items[i], out);
    }
}

static json_t *item_json(const struct connects_item *item)
{
    const struct connect_result *result = &item->result;

    return json_pack("{s:s, s:i, s:s, s:i, s:i, s:s, s:f, s:f, s:f, s:f, s:f, s:f}", "target",
                     measurement_target_text(item->target), "round", (int)item->round, "kind",
                     connect_kind_text(item->kind), "done", (int)result->done, "failed",
                     (int)result->failed, "first_failure", result->failure, "per_second",
                     per_second(result), "server_cpu_us_each", cpu_us_each(result),
                     "server_cpu_percent", cpu_percent(result), "p50_ms", each_ms(result, P50_PPM),
                     "p99_ms", each_ms(result, P99_PPM), "max_ms",
                     (double)result->each_ns.max / 1e6);
}

int connect_report_print_json(const struct connects *connects, FILE *out)
{
    json_t *array = json_array();
    int failed = 0;

    for (unsigned i = 0; i < connects->count; i++) {
        failed |= json_array_append_new(array, item_json(&connects->items[i]));
    }
    json_t *report =
        json_pack("{s:s, s:s, s:o, s:i, s:o}", "program", "relay-bench", "version", RELAY_VERSION,
                  "machine", machine_json(), "at_once", (int)connects->at_once, "connects", array);

    return json_report_print(report, failed == 0, out);
}
