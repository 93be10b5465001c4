/* Reports of crowds made by hand. */
#include "perf/crowd/crowd_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static struct crowd_visit visits[2] = {
    {.target = TARGET_SERVER,
     .result = {.joined = 100, .all_in_ns = 2010000000, .message_ns = 7000000}},
    {.target = TARGET_SERVER_TLS,
     .round = 1,
     .result = {.joined = 98, .refused = 2, .refusal = "HTTP 503"}},
};
static struct crowds crowds = {.viewers = 100, .within_s = 2, .items = visits, .count = 2};

static char *text;

Test(crowd_report, text_says_figures_and_the_first_refusal)
{
    FILE *out = report_text_open(&text);

    crowd_report_print_text(&crowds, out);
    fclose(out);
    cr_assert_not_null(strstr(text, "100 of 100 viewers in, 0 refused; the last 2.01 s"), "%s",
                       text);
    cr_assert_not_null(strstr(text, "; a message reached all in 7.0 ms"));
    cr_assert_not_null(strstr(text, "98 of 100 viewers in, 2 refused"));
    cr_assert_not_null(strstr(text, "; the message did not reach all"));
    cr_assert_not_null(strstr(text, "first refusal: HTTP 503\n"));
    free(text);
}

Test(crowd_report, json_has_all_of_it)
{
    FILE *out = report_text_open(&text);

    cr_assert_eq(crowd_report_print_json(&crowds, out), 0);
    fclose(out);
    json_t *report = json_loads(text, 0, NULL);
    json_t *first = json_array_get(json_object_get(report, "crowds"), 0);
    json_t *second = json_array_get(json_object_get(report, "crowds"), 1);

    cr_assert_eq(json_integer_value(json_object_get(report, "viewers")), 100);
    cr_assert_eq(json_real_value(json_object_get(first, "all_in_ms")), 2010);
    cr_assert_eq(json_real_value(json_object_get(first, "message_ms")), 7);
    cr_assert_str_eq(json_string_value(json_object_get(second, "target")), "wss");
    cr_assert_str_eq(json_string_value(json_object_get(second, "first_refusal")), "HTTP 503");
    cr_assert(json_is_null(json_object_get(second, "message_ms")));
    json_decref(report);
    free(text);
}
