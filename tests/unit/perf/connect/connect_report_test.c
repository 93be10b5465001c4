/* Reports of rushes made by hand. */
#include "perf/connect/connect_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static struct connects_item items[2] = {
    {.target = TARGET_SERVER_TLS,
     .kind = CONNECT_HANDSHAKE,
     .result = {.done = 100, .wall_ns = 500000000, .server_cpu_ns = 100000000}},
    {.target = TARGET_SERVER,
     .round = 1,
     .kind = CONNECT_JOIN,
     .result = {.failed = 2, .failure = "HTTP 503"}},
};
static struct connects connects = {.at_once = 8, .items = items, .count = 2};

static char *text;

Test(connect_report, text_says_figures_and_the_first_failure)
{
    FILE *out = report_text_open(&text);

    connect_report_print_text(&connects, out);
    fclose(out);
    cr_assert_not_null(strstr(text, "wss    handshake 100 done, 0 failed: 200 a second; the server "
                                    "spent 1000.0 us on each, 20% of one CPU"),
                       "%s", text);
    cr_assert_not_null(strstr(text, "server join      0 done, 2 failed: 0 a second"), "%s", text);
    cr_assert_not_null(strstr(text, "first failure: HTTP 503\n"));
    free(text);
}

Test(connect_report, json_has_all_of_it)
{
    FILE *out = report_text_open(&text);

    cr_assert_eq(connect_report_print_json(&connects, out), 0);
    fclose(out);
    json_t *report = json_loads(text, 0, NULL);
    json_t *first = json_array_get(json_object_get(report, "connects"), 0);
    json_t *second = json_array_get(json_object_get(report, "connects"), 1);

    cr_assert_eq(json_integer_value(json_object_get(report, "at_once")), 8);
    cr_assert_str_eq(json_string_value(json_object_get(first, "kind")), "handshake");
    cr_assert_float_eq(json_real_value(json_object_get(first, "per_second")), 200, 1e-9);
    cr_assert_float_eq(json_real_value(json_object_get(first, "server_cpu_us_each")), 1000, 1e-9);
    cr_assert_str_eq(json_string_value(json_object_get(second, "target")), "server");
    cr_assert_str_eq(json_string_value(json_object_get(second, "first_failure")), "HTTP 503");
    json_decref(report);
    free(text);
}
