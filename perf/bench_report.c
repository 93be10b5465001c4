#include "perf/bench_report.h"

#include <inttypes.h>
#include <jansson.h>
#include <string.h>

#include "base/version.h"
#include "perf/comparison.h"
#include "perf/json_report.h"
#include "perf/machine.h"

static double percent(uint64_t part, uint64_t whole)
{
    return whole > 0 ? 100.0 * (double)part / (double)whole : 0;
}

static double latency_us(const struct measurement *measurement, unsigned ppm)
{
    return (double)histogram_percentile(&measurement->result.latency_ns, ppm) / 1000;
}

static double latency_max_us(const struct measurement *measurement)
{
    return (double)measurement->result.latency_ns.max / 1000;
}

static double latency_mean_us(const struct measurement *measurement)
{
    const struct histogram *histogram = &measurement->result.latency_ns;

    return histogram->count > 0 ? (double)histogram->sum / (double)histogram->count / 1000 : 0;
}

static uint64_t server_cpu_ns(const struct load_result *result)
{
    return result->server.window_end.cpu_ns - result->server.window_start.cpu_ns;
}

static double bytes_per_second(const struct load_result *result)
{
    return (double)result->delivered_bytes * 1e9 / (double)result->window_ns;
}

static void print_run(const struct measurement *m, FILE *out)
{
    const struct load_result *result = &m->result;

    fprintf(out,
            "%-7s %-6s %9" PRIu64 " %7.1f %6" PRIu64 " | %7.0f %7.0f %7.0f %7.0f %8.0f | %7.3f "
            "%7.2f %4.0f%% %4.0f%% | %7.1f | %s\n",
            m->scenario.name, measurement_target_text(m->target), result->delivered,
            bytes_per_second(result) / 1e6, result->whole_run.lost, latency_us(m, 500000),
            latency_us(m, 900000), latency_us(m, 990000), latency_us(m, 999000), latency_max_us(m),
            measurement_cpu_s_per_gb(m), measurement_cpu_us_per_message(m),
            percent(server_cpu_ns(result), result->window_ns),
            percent(result->own_cpu_ns, result->window_ns),
            (double)result->server.connected.rss_bytes / 1e6,
            measurement_verdict_text(measurement_verdict(m)));
}

static void print_idle(const struct measurement *m, FILE *out)
{
    const struct load_result *result = &m->result;
    size_t connections = scenario_connections(&m->scenario);

    fprintf(out,
            "idle    %-6s %zu connections: resident %.1f MB before, %.1f MB with them; "
            "%.2f KiB private memory for each, %.2f (Pss %.2f) after the window; "
            "%.2f%% of one CPU; %" PRIu64 " pings came; %" PRIu64 " of %" PRIu64
            " probes answered, p50 %.0f, slowest %.0f us; %s\n",
            measurement_target_text(m->target), connections,
            (double)result->server.before.rss_bytes / 1e6,
            (double)result->server.connected.rss_bytes / 1e6,
            measurement_bytes_per_connection(m) / 1024,
            measurement_private_per_connection(m) / 1024, measurement_pss_per_connection(m) / 1024,
            percent(server_cpu_ns(result), result->window_ns), result->whole_run.pings,
            result->whole_run.probes_answered, result->whole_run.probes, latency_us(m, 500000),
            latency_max_us(m), measurement_verdict_text(measurement_verdict(m)));
}

static double ms(const struct histogram *histogram, unsigned ppm)
{
    return (double)histogram_percentile(histogram, ppm) / 1e6;
}

/* Lines that modes add to those of a scenario. */
static void print_mode(const struct measurement *m, FILE *out)
{
    char shape[SCENARIO_TEXT_SIZE];
    const struct churn_counts *churn = &m->churn;

    if (m->threads > 1 || m->workers > 1 || strcmp(m->scenario.name, "scale") == 0) {
        scenario_text(&m->scenario, shape);
        fprintf(out, "        %s: %.0f messages/s by %u threads; %.0f%% of %u workers\n", shape,
                (double)m->result.delivered * 1e9 / (double)m->result.window_ns, m->threads,
                measurement_busy_percent(m), m->workers);
    }
    if (m->has_churn) {
        fprintf(out,
                "        churn: %" PRIu64 " viewers came and went, %" PRIu64
                " came too late for a message, %" PRIu64
                " failed; join p50 %.1f, p99 %.1f ms; first message p50 %.1f, p99 %.1f ms; "
                "behind by %.1f ms at most\n",
                churn->came, churn->unserved, churn->failed, ms(&churn->join_ns, 500000),
                ms(&churn->join_ns, 990000), ms(&churn->first_ns, 500000),
                ms(&churn->first_ns, 990000), (double)churn->behind_ns / 1e6);
    }
    if (churn->failed > 0) {
        fprintf(out, "        first failure: %s\n", churn->failure);
    }
}

/* Prints details that have no column, if there are any. */
static void print_faults(const struct measurement *m, FILE *out)
{
    const struct load_result *result = &m->result;
    const struct {
        const char *text;
        uint64_t count;
    } faults[] = {
        {"sent late", result->late},
        {"not sent, generator late", result->skipped},
        {"not sent, server late", result->held},
        {"out of order", result->whole_run.out_of_order},
        {"misdelivered", result->whole_run.foreign},
        {"damaged", result->whole_run.damaged},
        {"merged with others", result->whole_run.merged},
        {"fragmented", result->whole_run.fragmented},
        {"connections cut", result->whole_run.closed},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        if (faults[i].count > 0) {
            fprintf(out, "        %s: %" PRIu64 "\n", faults[i].text, faults[i].count);
        }
    }
    if (result->first_cut[0] != '\0') {
        fprintf(out, "        first cut: %s\n", result->first_cut);
    }
}

static void print_header(FILE *out)
{
    fprintf(out, "%-7s %-6s %9s %7s %6s | %7s %7s %7s %7s %8s | %7s %7s %5s %5s | %7s | %s\n", "",
            "", "messages", "MB/s", "lost", "p50", "p90", "p99", "p99.9", "max us", "CPU", "CPU us",
            "CPU", "own", "memory", "");
    fprintf(out, "%-7s %-6s %9s %7s %6s | %7s %7s %7s %7s %8s | %7s %7s %5s %5s | %7s | %s\n",
            "shape", "target", "received", "", "", "", "", "", "", "", "s/GB", "/msg", "", "CPU",
            "MB", "");
}

static void print_comparison(const struct comparison *c, FILE *out)
{
    fprintf(out,
            "%-7s %-6s ÷ %-6s %3u rounds | ratio %5.2f (%.2f to %.2f) | CPU s/GB: %.3f, %.3f | "
            "p50 us: %.0f, %.0f | p99 us: %.0f, %.0f",
            c->scenario->name, measurement_target_text(c->target), measurement_target_text(c->base),
            c->rounds, c->cpu_ratio.median, c->cpu_ratio.min, c->cpu_ratio.max,
            c->target_cpu.median, c->base_cpu.median, c->target_p50_us.median,
            c->base_p50_us.median, c->target_p99_us.median, c->base_p99_us.median);
    if (c->rounds_invalid > 0) {
        fprintf(out, " | %u rounds not valid", c->rounds_invalid);
    }
    fprintf(out, "\n");
}

/* True at the first measurement of each scenario. */
static bool is_first(const struct measurements *measurements, unsigned index)
{
    return index == 0 || strcmp(measurements->items[index].scenario.name,
                                measurements->items[index - 1].scenario.name) != 0;
}

typedef void comparison_handler(const struct comparison *comparison, void *context);

/* Compares, per scenario, every two targets that were measured in pairs. */
static void comparisons_visit(const struct measurements *measurements, comparison_handler *handle,
                              void *context)
{
    struct comparison comparison;

    for (unsigned i = 0; i < measurements->count; i++) {
        for (unsigned pair = 0; is_first(measurements, i) && pair < TARGET_COUNT * TARGET_COUNT;
             pair++) {
            enum target base = pair / TARGET_COUNT, target = pair % TARGET_COUNT;

            if (base < target && comparison_make(measurements, i, base, target, &comparison)) {
                handle(&comparison, context);
            }
        }
    }
}

struct comparison_printer {
    FILE *out;
    bool has_header;
};

static void on_comparison_text(const struct comparison *comparison, void *context)
{
    struct comparison_printer *printer = context;

    if (!printer->has_header) {
        fprintf(printer->out, "\nmedian (min to max); figures in the order of the names:\n");
    }
    printer->has_header = true;
    print_comparison(comparison, printer->out);
}

void bench_report_print_text(const struct measurements *measurements, FILE *out)
{
    struct comparison_printer printer = {.out = out};
    bool has_header = false;

    for (unsigned i = 0; i < measurements->count; i++) {
        if (measurements->items[i].scenario.rate == 0) {
            print_idle(&measurements->items[i], out);
        } else {
            if (!has_header) {
                print_header(out);
            }
            has_header = true;
            print_run(&measurements->items[i], out);
            print_mode(&measurements->items[i], out);
        }
        print_faults(&measurements->items[i], out);
    }
    comparisons_visit(measurements, on_comparison_text, &printer);
}

static json_t *usage_json(const struct measurement *m)
{
    const struct load_result *r = &m->result;

    if (!m->has_usage) {
        return json_null();
    }
    return json_pack(
        "{s:f, s:f, s:f, s:f, s:f, s:I, s:I, s:I, s:I, s:f, s:f, s:f, s:i, s:i, s:f, s:f}", "cpu_s",
        (double)server_cpu_ns(r) / 1e9, "cpu_user_s_rough",
        (double)(r->server.window_end.user_ns - r->server.window_start.user_ns) / 1e9,
        "cpu_system_s_rough",
        (double)(r->server.window_end.system_ns - r->server.window_start.system_ns) / 1e9,
        "cpu_s_per_gb", measurement_cpu_s_per_gb(m), "cpu_us_per_message",
        measurement_cpu_us_per_message(m), "rss_before_bytes",
        (json_int_t)r->server.before.rss_bytes, "rss_connected_bytes",
        (json_int_t)r->server.connected.rss_bytes, "rss_end_bytes",
        (json_int_t)r->server.window_end.rss_bytes, "rss_anon_connected_bytes",
        (json_int_t)r->server.connected.rss_anon_bytes, "anon_bytes_per_connection",
        measurement_bytes_per_connection(m), "private_bytes_per_connection",
        measurement_private_per_connection(m), "pss_bytes_per_connection",
        measurement_pss_per_connection(m), "threads", (int)r->server.connected.threads, "workers",
        (int)m->workers, "busy_percent", measurement_busy_percent(m), "ready_ms",
        (double)m->ready_ns / 1e6);
}

static json_t *latency_json(const struct measurement *m)
{
    return json_pack("{s:f, s:f, s:f, s:f, s:f, s:f}", "mean", latency_mean_us(m), "p50",
                     latency_us(m, 500000), "p90", latency_us(m, 900000), "p99",
                     latency_us(m, 990000), "p999", latency_us(m, 999000), "max",
                     latency_max_us(m));
}

static json_t *churn_json(const struct measurement *m)
{
    const struct churn_counts *churn = &m->churn;

    if (!m->has_churn) {
        return json_null();
    }
    return json_pack("{s:I, s:I, s:I, s:s, s:f, s:f, s:f, s:f, s:f}", "came",
                     (json_int_t)churn->came, "unserved", (json_int_t)churn->unserved, "failed",
                     (json_int_t)churn->failed, "first_failure", churn->failure, "join_p50_ms",
                     ms(&churn->join_ns, 500000), "join_p99_ms", ms(&churn->join_ns, 990000),
                     "first_p50_ms", ms(&churn->first_ns, 500000), "first_p99_ms",
                     ms(&churn->first_ns, 990000), "behind_max_ms", (double)churn->behind_ns / 1e6);
}

static json_t *generator_json(const struct measurement *m)
{
    const struct load_result *r = &m->result;

    return json_pack("{s:i, s:f, s:I, s:I, s:I, s:I, s:I}", "threads", (int)m->threads, "cpu_s",
                     (double)r->own_cpu_ns / 1e9, "planned", (json_int_t)r->planned, "published",
                     (json_int_t)r->published, "late", (json_int_t)r->late, "skipped",
                     (json_int_t)r->skipped, "held", (json_int_t)r->held);
}

static json_t *whole_run_json(const struct load_result *r)
{
    return json_pack(
        "{s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I, s:I}", "published",
        (json_int_t)r->whole_run.published, "expected", (json_int_t)r->whole_run.expected,
        "received", (json_int_t)r->whole_run.received, "lost", (json_int_t)r->whole_run.lost,
        "out_of_order", (json_int_t)r->whole_run.out_of_order, "misdelivered",
        (json_int_t)r->whole_run.foreign, "damaged", (json_int_t)r->whole_run.damaged, "merged",
        (json_int_t)r->whole_run.merged, "fragmented", (json_int_t)r->whole_run.fragmented,
        "connections_cut", (json_int_t)r->whole_run.closed, "pings", (json_int_t)r->whole_run.pings,
        "probes", (json_int_t)r->whole_run.probes, "probes_answered",
        (json_int_t)r->whole_run.probes_answered);
}

static json_t *scenario_json(const struct scenario *s)
{
    return json_pack("{s:s, s:i, s:i, s:I, s:i}", "name", s->name, "topics", (int)s->topics,
                     "viewers", (int)s->viewers, "bytes", (json_int_t)s->bytes, "rate",
                     (int)s->rate);
}

static json_t *run_json(const struct measurement *m)
{
    const struct load_result *r = &m->result;

    return json_pack("{s:o, s:s, s:i, s:s, s:f, s:I, s:I, s:o, s:o, s:o, s:o, s:o}", "scenario",
                     scenario_json(&m->scenario), "target", measurement_target_text(m->target),
                     "round", (int)m->round, "verdict",
                     measurement_verdict_text(measurement_verdict(m)), "seconds",
                     (double)r->window_ns / 1e9, "delivered_messages", (json_int_t)r->delivered,
                     "delivered_bytes", (json_int_t)r->delivered_bytes, "latency_us",
                     latency_json(m), "server", usage_json(m), "generator", generator_json(m),
                     "whole_run", whole_run_json(r), "churn", churn_json(m));
}

static json_t *spread_json(struct spread spread)
{
    return json_pack("{s:f, s:f, s:f}", "median", spread.median, "min", spread.min, "max",
                     spread.max);
}

static json_t *comparison_json(const struct comparison *c)
{
    return json_pack(
        "{s:o, s:s, s:s, s:i, s:i, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "scenario",
        scenario_json(c->scenario), "target", measurement_target_text(c->target), "base",
        measurement_target_text(c->base), "rounds", (int)c->rounds, "rounds_invalid",
        (int)c->rounds_invalid, "cpu_ratio", spread_json(c->cpu_ratio), "target_cpu_s_per_gb",
        spread_json(c->target_cpu), "base_cpu_s_per_gb", spread_json(c->base_cpu), "target_p50_us",
        spread_json(c->target_p50_us), "base_p50_us", spread_json(c->base_p50_us), "target_p99_us",
        spread_json(c->target_p99_us), "base_p99_us", spread_json(c->base_p99_us));
}

struct comparison_collector {
    json_t *array;
    int failed;
};

static void on_comparison_json(const struct comparison *comparison, void *context)
{
    struct comparison_collector *collector = context;

    collector->failed |= json_array_append_new(collector->array, comparison_json(comparison));
}

int bench_report_print_json(const struct measurements *measurements, FILE *out)
{
    json_t *runs = json_array();
    struct comparison_collector comparisons = {.array = json_array()};
    int failed = 0;

    for (unsigned i = 0; i < measurements->count; i++) {
        failed |= json_array_append_new(runs, run_json(&measurements->items[i]));
    }
    comparisons_visit(measurements, on_comparison_json, &comparisons);
    failed |= comparisons.failed;
    json_t *report =
        json_pack("{s:s, s:s, s:o, s:o, s:o}", "program", "relay-bench", "version", RELAY_VERSION,
                  "machine", machine_json(), "runs", runs, "comparisons", comparisons.array);

    return json_report_print(report, failed == 0, out);
}
