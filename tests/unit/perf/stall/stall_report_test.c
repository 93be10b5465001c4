/* Reports of slow viewers made by hand. */
#include "perf/stall/stall_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static struct stalls_visit visits[3];
static struct stalls stalls = {
    .footage = {.pictures_count = 1, .rate = 25}, .items = visits, .count = 3};
static char *text;

/* p99 with the slow viewer of 1, 2 and 4 ms, without it 1 ms. */
static void fill(void)
{
    for (unsigned i = 0; i < 3; i++) {
        struct stall_result *result = &visits[i].result;

        result->slow_due = 100;
        result->slow.seen = 25;
        histogram_record(&result->with.latency_ns, UINT64_C(1000000) << i);
        histogram_record(&result->without.latency_ns, 1000000);
    }
    histogram_record(&visits[0].result.slow.age_ns, 900000000);
}

TestSuite(stall_report, .init = fill);

Test(stall_report, text_says_figures_and_the_median)
{
    FILE *out = report_text_open(&text);

    visits[1].result.slow.is_cut = true;
    stall_report_print_text(&stalls, out);
    fclose(out);
    cr_assert(strstr(text, "slow viewer: 25 of 100 pictures, 0 broken, not cut off; their age p50 "
                           "900, p99 900, oldest 900 ms"),
              "%s", text);
    cr_assert(strstr(text, "cut off; their age p50 0"));
    cr_assert(strstr(text, "median of 3 runs: 2.000\n"), "%s", text);
    free(text);
}

Test(stall_report, json_has_all_of_it)
{
    FILE *out = report_text_open(&text);

    cr_assert_eq(stall_report_print_json(&stalls, out), 0);
    fclose(out);
    json_t *report = json_loads(text, 0, NULL);
    json_t *last = json_array_get(json_object_get(report, "stalls"), 2);
    json_t *slow = json_object_get(last, "slow_viewer");

    cr_assert_float_eq(json_real_value(json_object_get(report, "p99_ratio_median")), 2, 0.01);
    cr_assert_float_eq(json_real_value(json_object_get(last, "p99_ratio")), 4, 0.01);
    cr_assert_eq(json_integer_value(json_object_get(slow, "dropped")), 75);
    cr_assert(json_is_null(json_object_get(slow, "age_ms")));
    cr_assert(json_is_false(json_object_get(slow, "cut")));
    json_decref(report);
    free(text);
}
