/* Reports of encounters made by hand. */
#include "perf/neighbour/encounter_report.h"

#include <criterion/criterion.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/perf/report_text.h"

static const struct attack attack = {.name = "tiny"};

static void fill(struct encounter *encounter)
{
    struct load_result *result = &encounter->beside.camera.result;

    *encounter = (struct encounter){.attack = &attack, .target = TARGET_SERVER};
    encounter->beside.camera.scenario.viewers = 10;
    result->whole_run.expected = 1000;
    result->whole_run.lost = 500;
    histogram_record(&result->latency_ns, 3000000);
    encounter->beside.visits[VISIT_JOIN] =
        (struct visit_result){.count = 5, .failed = 2, .worst_ns = 7000000, .failure = "HTTP 503"};
    encounter->attacker.opened = 77;
    encounter->rss_peak_bytes = 12000000;
}

static struct encounters two_encounters(void)
{
    struct encounters encounters = {.items = calloc(2, sizeof *encounters.items), .count = 2};

    fill(&encounters.items[0]);
    encounters.items[1] = (struct encounter){
        .attack = &attack, .target = TARGET_SERVER, .is_left_out = true, .error = "needs TLS"};
    return encounters;
}

Test(encounter_report, text_says_figures_and_failures)
{
    struct encounters encounters = two_encounters();
    char *text = NULL;
    FILE *out = report_text_open(&text);

    encounter_report_print_text(&encounters, out);
    fclose(out);
    cr_assert_not_null(strstr(text, " 50.00 "), "%s", text);
    cr_assert_not_null(strstr(text, "beside: join failed 2 of 5; first: HTTP 503\n"));
    cr_assert_not_null(strstr(text, "beside: messages lost or wrong\n"));
    cr_assert_not_null(strstr(text, "left out: needs TLS\n"));
    free(text);
    encounters_release(&encounters);
}

static json_t *json_of(const struct encounters *encounters)
{
    char *text = NULL;
    FILE *out = report_text_open(&text);

    cr_assert_eq(encounter_report_print_json(encounters, out), 0);
    fclose(out);
    json_t *report = json_loads(text, 0, NULL);

    cr_assert_not_null(report, "%s", text);
    free(text);
    return report;
}

Test(encounter_report, json_has_all_of_it)
{
    struct encounters encounters = two_encounters();
    json_t *report = json_of(&encounters);
    json_t *first = json_array_get(json_object_get(report, "neighbours"), 0);
    json_t *second = json_array_get(json_object_get(report, "neighbours"), 1);
    json_t *beside = json_object_get(first, "beside");

    cr_assert_str_eq(json_string_value(json_object_get(first, "attack")), "tiny");
    cr_assert_eq(json_real_value(json_object_get(beside, "lost_percent")), 50);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(beside, "join"), "failed")), 2);
    cr_assert_eq(json_integer_value(json_object_get(first, "rss_peak_bytes")), 12000000);
    cr_assert_eq(json_integer_value(json_object_get(json_object_get(first, "attacker"), "opened")),
                 77);
    cr_assert_str_eq(json_string_value(json_object_get(second, "left_out")), "needs TLS");
    json_decref(report);
    encounters_release(&encounters);
}

static struct encounters two_rounds(void)
{
    struct encounters encounters = {.items = calloc(2, sizeof *encounters.items), .count = 2};

    fill(&encounters.items[0]);
    fill(&encounters.items[1]);
    encounters.items[1].round = 1;
    histogram_record(&encounters.items[1].beside.camera.result.latency_ns, 9000000);
    return encounters;
}

Test(encounter_report, text_closes_with_medians_of_rounds)
{
    struct encounters encounters = two_rounds();
    char *text = NULL;
    FILE *out = report_text_open(&text);

    encounter_report_print_text(&encounters, out);
    fclose(out);
    const char *medians = strstr(text, "median (min to max)");

    cr_assert_not_null(medians, "%s", text);
    cr_assert_not_null(strstr(medians, " 50.00 (50.00 to 50.00) "), "%s", medians);
    cr_assert_not_null(strstr(medians, " 6.00 (3.00 to 9.00) "), "%s", medians);
    cr_assert_not_null(strstr(medians, " 7.00 (7.00 to 7.00) "), "%s", medians);
    free(text);
    encounters_release(&encounters);
}

Test(encounter_report, json_has_medians_of_rounds)
{
    struct encounters encounters = two_rounds();
    json_t *report = json_of(&encounters);
    json_t *summaries = json_object_get(report, "summaries");
    json_t *summary = json_array_get(summaries, 0);
    json_t *max_ms = json_object_get(summary, "beside_max_ms");

    cr_assert_eq(json_array_size(summaries), 1);
    cr_assert_str_eq(json_string_value(json_object_get(summary, "attack")), "tiny");
    cr_assert_eq(json_integer_value(json_object_get(summary, "runs")), 2);
    cr_assert_eq(json_real_value(json_object_get(max_ms, "median")), 6);
    cr_assert_eq(json_real_value(json_object_get(max_ms, "max")), 9);
    cr_assert(json_is_null(json_object_get(summary, "status_worst_ms")));
    json_decref(report);
    encounters_release(&encounters);
}
