/* Goal: reports for people and for programs say the same, in the units that they name. Method: one
 * measurement made by hand, with figures that cannot be mistaken for one another. */
#include "perf/bench_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static struct measurement items[2];
static struct measurements all = {.items = items, .count = 1};

static void start(void)
{
    struct measurement *m = &items[0];

    *m = (struct measurement){
        .scenario = {.name = "A", .topics = 1, .viewers = 2, .bytes = 4096, .rate = 2000},
        .target = TARGET_SERVER,
        .has_usage = true,
        .ready_ns = 12000000,
        .result = {.window_ns = 2000000000,
                   .planned = 4000,
                   .published = 4000,
                   .delivered = 8000,
                   .delivered_bytes = 32768000,
                   .late = 3,
                   .own_cpu_ns = 500000000,
                   .whole_run = {.published = 4100, .expected = 8200, .received = 8200},
                   .server = {.before = {.rss_anon_bytes = 1000},
                              .connected = {.rss_bytes = 21000000, .rss_anon_bytes = 31000},
                              .window_start.cpu_ns = 1000000000,
                              .window_end.cpu_ns = 2000000000}},
    };
    histogram_init(&m->result.latency_ns);
    for (unsigned i = 0; i < 100; i++) {
        histogram_record(&m->result.latency_ns, i < 99 ? 100000 : 5000000);
    }
}

TestSuite(bench_report, .init = start);

static char *text_of(void (*print)(FILE *out))
{
    char *text = NULL;
    FILE *out = report_text_open(&text);

    print(out);
    fclose(out);
    return text;
}

static void print_text(FILE *out)
{
    bench_report_print_text(&all, out);
}

static void print_json(FILE *out)
{
    cr_assert_eq(bench_report_print_json(&all, out), 0);
}

Test(bench_report, has_a_line_for_people)
{
    char *text = text_of(print_text);

    /* 8000 messages; 16.4 MB/s; nothing lost; p50 … max in us; 1 s of CPU for 0.032768 GB; 125 us
     * for a message; half of one CPU, a quarter of another; 21 MB. */
    cr_expect_not_null(
        strstr(text,
               "A       server      8000    16.4      0 |     100     100     100    5000     "
               "5000 |  30.518  125.00   50%   25% |    21.0 | valid\n"),
        "%s", text);
    cr_expect_not_null(strstr(text, "        sent late: 3\n"), "%s", text);
    cr_expect_null(strstr(text, "damaged"), "only what happened");
    free(text);
}

Test(bench_report, tells_every_fault_that_happened)
{
    items[0].result.whole_run.damaged = 4;
    items[0].result.whole_run.closed = 1;
    snprintf(items[0].result.first_cut, LOAD_CUT_SIZE, "a viewer of topic 0: end of stream");
    char *text = text_of(print_text);

    cr_expect_not_null(strstr(text, "| messages lost or wrong\n"), "%s", text);
    cr_expect_not_null(strstr(text, "        damaged: 4\n        connections cut: 1\n"
                                    "        first cut: a viewer of topic 0: end of stream\n"),
                       "%s", text);
    free(text);
}

Test(bench_report, of_idle_connections_is_about_memory)
{
    items[0].scenario = (struct scenario){.name = "idle", .topics = 1, .viewers = 30};
    items[0].result.server.window_end.private_bytes = 61440;
    items[0].result.server.window_end.pss_bytes = 92160;
    items[0].result.whole_run.pings = 5;
    items[0].result.whole_run.probes = 99;
    items[0].result.whole_run.probes_answered = 98;
    char *text = text_of(print_text);

    /* 30000 bytes over 30 connections. */
    cr_expect_not_null(strstr(text, "30 connections: "), "%s", text);
    cr_expect_not_null(strstr(text, "0.98 KiB private memory for each, 2.00 (Pss 3.00) after"),
                       "%s", text);
    cr_expect_not_null(strstr(text, "50.00% of one CPU; 5 pings came; 98 of 99 probes answered"),
                       "%s", text);
    free(text);
}

Test(bench_report, tells_of_threads_and_workers)
{
    items[0].threads = 3;
    items[0].workers = 2;
    char *text = text_of(print_text);

    cr_expect_not_null(strstr(text, "        1x2x4096@2000: 4000 messages/s by 3 threads; 25% of 2 "
                                    "workers\n"),
                       "%s", text);
    free(text);
    text = text_of(print_json);
    json_t *root = json_loads(text, 0, NULL);
    const json_t *run = json_array_get(json_object_get(root, "runs"), 0);

    cr_expect_eq(json_integer_value(json_object_get(json_object_get(run, "generator"), "threads")),
                 3);
    cr_expect_eq(json_integer_value(json_object_get(json_object_get(run, "server"), "workers")), 2);
    cr_expect(json_is_null(json_object_get(run, "churn")));
    json_decref(root);
    free(text);
}

Test(bench_report, tells_of_viewers_that_came_and_went)
{
    items[0].has_churn = true;
    items[0].churn =
        (struct churn_counts){.came = 7, .unserved = 2, .failed = 1, .failure = "HTTP 503"};
    histogram_record(&items[0].churn.join_ns, 2000000);
    char *text = text_of(print_text);

    cr_expect_not_null(strstr(text,
                              "churn: 7 viewers came and went, 2 came too late for a message, "
                              "1 failed; join p50 2.0, "),
                       "%s", text);
    cr_expect_not_null(strstr(text, "first failure: HTTP 503\n"), "%s", text);
    free(text);
    text = text_of(print_json);
    json_t *root = json_loads(text, 0, NULL);
    json_t *churn = json_object_get(json_array_get(json_object_get(root, "runs"), 0), "churn");

    cr_expect_eq(json_integer_value(json_object_get(churn, "came")), 7);
    cr_expect_float_eq(json_number_value(json_object_get(churn, "join_p50_ms")), 2, 1e-9);
    json_decref(root);
    free(text);
}

static void compare(void)
{
    items[1] = items[0];
    items[1].target = TARGET_SERVER;
    items[0].target = TARGET_FLOOR;
    items[0].result.server.window_end.cpu_ns = 1500000000;
    all.count = 2;
}

Test(bench_report, compares_two_targets)
{
    compare();
    char *text = text_of(print_text);

    cr_expect_not_null(strstr(text, "A       server ÷ floor    1 rounds | ratio  2.00 "
                                    "(2.00 to 2.00) | CPU s/GB: 30.518, 15.259 | "),
                       "%s", text);
    free(text);
}

static double number_at(const json_t *root, const char *outer, const char *name)
{
    const json_t *value = json_object_get(json_object_get(root, outer), name);

    cr_assert(json_is_number(value), "%s.%s", outer, name);
    return json_number_value(value);
}

Test(bench_report, has_the_same_figures_for_programs)
{
    char *text = text_of(print_json);
    json_t *root = json_loads(text, 0, NULL);
    const json_t *run = json_array_get(json_object_get(root, "runs"), 0);

    cr_assert_not_null(run, "%s", text);
    cr_expect_str_eq(json_string_value(json_object_get(run, "target")), "server");
    cr_expect_str_eq(json_string_value(json_object_get(run, "verdict")), "valid");
    cr_expect_float_eq(json_number_value(json_object_get(run, "seconds")), 2, 1e-9);
    cr_expect_eq(json_integer_value(json_object_get(run, "delivered_messages")), 8000);
    cr_expect_float_eq(number_at(run, "latency_us", "p50"), 100, 1);
    cr_expect_float_eq(number_at(run, "latency_us", "mean"), 149, 1e-9);
    cr_expect_float_eq(number_at(run, "latency_us", "max"), 5000, 1e-9);
    cr_expect_float_eq(number_at(run, "server", "cpu_s"), 1, 1e-9);
    cr_expect_float_eq(number_at(run, "server", "cpu_s_per_gb"), 30.517578, 1e-6);
    cr_expect_float_eq(number_at(run, "server", "ready_ms"), 12, 1e-9);
    cr_expect_float_eq(number_at(run, "generator", "cpu_s"), 0.5, 1e-9);
    cr_expect_float_eq(number_at(run, "generator", "late"), 3, 1e-9);
    cr_expect_float_eq(number_at(run, "whole_run", "expected"), 8200, 1e-9);
    cr_expect_float_eq(number_at(run, "scenario", "bytes"), 4096, 1e-9);
    json_decref(root);
    free(text);
}

Test(bench_report, has_no_usage_of_a_process_that_it_does_not_know)
{
    items[0].has_usage = false;
    char *text = text_of(print_json);

    cr_expect_not_null(strstr(text, "\"server\": null"), "%s", text);
    free(text);
}

Test(bench_report, has_comparisons_for_programs)
{
    compare();
    char *text = text_of(print_json);
    json_t *root = json_loads(text, 0, NULL);
    const json_t *comparison = json_array_get(json_object_get(root, "comparisons"), 0);

    cr_assert_not_null(comparison, "%s", text);
    cr_expect_float_eq(number_at(comparison, "cpu_ratio", "median"), 2, 1e-9);
    cr_expect_str_eq(json_string_value(json_object_get(comparison, "base")), "floor");
    json_decref(root);
    free(text);
}

Test(bench_report, is_written_even_when_empty)
{
    all.count = 0;
    char *text = text_of(print_json);

    cr_assert_not_null(strstr(text, "\"runs\": []"));
    free(text);
    text = text_of(print_text);
    cr_assert_str_eq(text, "");
    free(text);
}

Test(bench_report, says_that_it_cannot_be_written)
{
    FILE *full = fopen("/dev/full", "w");

    cr_assert_not_null(full);
    cr_expect_lt(bench_report_print_json(&all, full), 0);
    fclose(full);
}
