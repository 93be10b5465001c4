/* Reports of joins made by hand. */
#include "perf/join/join_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static struct joins_visit visits[2] = {
    {.target = TARGET_SERVER, .result = {.joined = 200, .late_ns = 2000000}},
    {.target = TARGET_SERVER_TLS,
     .round = 1,
     .result = {.joined = 1, .failed = 2, .wrong = 1, .failure = "HTTP 503"}},
};
static struct joins joins = {
    .footage = {.pictures_count = 1, .rate = 25}, .items = visits, .count = 2};
static char *text;

static void fill(void)
{
    histogram_record(&visits[0].result.first_ns, 1500000);
}

TestSuite(join_report, .init = fill);

Test(join_report, text_says_figures_and_the_first_failure)
{
    FILE *out = report_text_open(&text);

    join_report_print_text(&joins, out);
    fclose(out);
    cr_assert(strstr(text, "200 joins, 0 failed, 0 began wrong; from the 101 to the first picture "
                           "p50 1.50, p99 1.50, slowest 1.50 ms"),
              "%s", text);
    cr_assert(strstr(text, "1 joins, 2 failed, 1 began wrong"));
    cr_assert(strstr(text, "first failure: HTTP 503\n"));
    free(text);
}

Test(join_report, json_has_all_of_it)
{
    FILE *out = report_text_open(&text);

    cr_assert_eq(join_report_print_json(&joins, out), 0);
    fclose(out);
    json_t *report = json_loads(text, 0, NULL);
    json_t *first = json_array_get(json_object_get(report, "joins"), 0);
    json_t *second = json_array_get(json_object_get(report, "joins"), 1);

    cr_assert_eq(json_integer_value(json_object_get(first, "joined")), 200);
    cr_assert_eq(
        json_real_value(json_object_get(json_object_get(first, "first_picture_ms"), "max")), 1.5);
    cr_assert_eq(json_real_value(json_object_get(first, "late_max_ms")), 2);
    cr_assert(json_is_null(json_object_get(second, "first_picture_ms")));
    cr_assert_eq(json_integer_value(json_object_get(second, "wrong")), 1);
    cr_assert_str_eq(json_string_value(json_object_get(second, "first_failure")), "HTTP 503");
    json_decref(report);
    free(text);
}
