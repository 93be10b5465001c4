/* Goal: reports in both shapes, with statistics of every age, become the same structs; what is not
 * of the right type is refused as a whole. Method: one text each, from memory of its exact size. */
#include "client/status_reports.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static enum status_reports_result read_text(const char *text, struct status_reports *reports,
                                            size_t *ret_used, char *error)
{
    size_t len = strlen(text);
    char *exact = malloc(len + (len == 0)); /* reading past it is seen by the sanitizer */

    memcpy(exact, text, len);
    error[0] = '\0';
    enum status_reports_result result =
        status_reports_read(bytes_of(exact, len), reports, ret_used, error);

    free(exact);
    return result;
}

static struct status_reports read_good(const char *text)
{
    struct status_reports reports;
    char error[RELAY_STATUS_ERROR_SIZE];
    size_t used = 0;

    cr_assert_eq(read_text(text, &reports, &used, error), STATUS_REPORTS_OK, "%s", error);
    cr_assert_eq(used, strlen(text));
    return reports;
}

Test(status_reports, read_the_report_of_the_topic)
{
    struct status_reports reports = read_good(
        "[{\"canRead\":true,\"canWrite\":false,\"connected\":\"2026-11-23T09:21:20Z\","
        "\"expiresAt\":\"2026-11-23T10:21:20Z\",\"remoteAddr\":\"192.0.2.1\",\"scopes\":[\"read\","
        "\"relay:stats\"],\"stats\":{\"tx\":{\"last\":\"1.2s\",\"size\":15980,\"fps\":24.1},"
        "\"rx\":{\"last\":\"Never\",\"size\":0,\"fps\":0}},\"topic\":\"t0\",\"userAgent\":\"ua/"
        "1\",\"tls\":\"kernel\",\"dropped\":{\"data\":2,\"video\":40},"
        "\"latency\":{\"publish_p50\":1.5,\"publish_p99\":20,\"decode_p50\":0,\"new\":1}},"
        "{\"topic\":\"stats\",\"userAgent\":\"crossbar\"}]");
    const struct relay_status_report *report = reports.list;

    cr_assert_eq(reports.count, 2);
    cr_assert(report->can_read && !report->can_write && report->has_statistics);
    cr_assert_eq(report->connected_s, 1795425680);
    cr_assert_eq(report->expires_s, report->connected_s + 3600);
    cr_assert_str_eq(report->remote_address, "192.0.2.1");
    cr_assert_str_eq(report->topic, "t0");
    cr_assert_str_eq(report->user_agent, "ua/1");
    cr_assert_eq(report->scopes_count, 2);
    cr_assert_str_eq(report->scopes[1], "relay:stats");
    cr_assert_eq(report->tx.last_ns, 1200000000);
    cr_assert(!report->tx.never && report->rx.never);
    cr_assert_float_eq(report->tx.size, 15980, 1e-9);
    cr_assert_float_eq(report->tx.fps, 24.1, 1e-9);
    cr_assert_eq(report->dropped, 42);
    cr_assert_eq(report[1].dropped, 0);
    cr_assert(report->latency[RELAY_STATUS_PUBLISH].known);
    cr_assert_float_eq(report->latency[RELAY_STATUS_PUBLISH].p50_ms, 1.5, 1e-9);
    cr_assert_float_eq(report->latency[RELAY_STATUS_PUBLISH].p99_ms, 20, 1e-9);
    cr_assert_not(report->latency[RELAY_STATUS_RELAY].known);
    cr_assert(report->latency[RELAY_STATUS_DECODE].known);
    cr_assert_not(report[1].latency[RELAY_STATUS_PUBLISH].known);
    cr_assert_str_eq(report[1].user_agent, "crossbar");
    cr_assert_str_eq(report[1].remote_address, "");
    cr_assert_eq(report[1].connected_s, 0);
    cr_assert(!report[1].has_statistics && !report[1].tx.never);
    status_reports_release(&reports);
}

Test(status_reports, read_the_answer_of_the_access_api)
{
    struct status_reports reports =
        read_good("[{\"can_write\":true,\"connected_at\":\"2026-11-23T09:21:20Z\",\"expires_at\":"
                  "\"1970-01-01T00:00:00Z\",\"remote_addr\":\"internal\",\"scopes\":[],\"topic\":"
                  "\"t0\",\"user_agent\":\"ua/1\"}]");

    cr_assert(!reports.list->can_read && reports.list->can_write);
    cr_assert_eq(reports.list->connected_s, 1795425680);
    cr_assert_eq(reports.list->expires_s, 0);
    cr_assert_str_eq(reports.list->remote_address, "internal");
    cr_assert_str_eq(reports.list->user_agent, "ua/1");
    cr_assert_eq(reports.list->scopes_count, 0);
    status_reports_release(&reports);
}

Test(status_reports, read_the_last_message_in_every_form)
{
    static const struct {
        const char *last; /* NULL: missing */
        bool never;
        int64_t last_ns;
    } cases[] = {
        {"\"1.2s\"", false, 1200000000},
        {"\"1h2m3.5s\"", false, INT64_C(3723500000000)},
        {"\"15.98µs\"", false, 15980},
        {"\"15ms\"", false, 15000000},
        {"\"0s\"", false, 0},
        {"\" 3s\\n\"", false, 3000000000},
        {"\"-5ms\"", false, 0},
        {"1200000000", false, 1200000000},
        {"-3", false, 0},
        {"9223372036854775807", false, INT64_MAX},
        {"\"Never\"", true, 0},
        {"\"never\"", true, 0},
        {"\"\"", true, 0},
        {"null", true, 0},
        {NULL, true, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[256];

        snprintf(
            text, sizeof text, "[{\"stats\":{\"rx\":{%s%s}}}]",
            cases[i].last == NULL ? "" : "\"last\":", cases[i].last == NULL ? "" : cases[i].last);
        struct status_reports reports = read_good(text);

        cr_expect_eq(reports.list->rx.never, cases[i].never, "%s", text);
        cr_expect_eq(reports.list->rx.last_ns, cases[i].last_ns, "%s", text);
        cr_expect(reports.list->tx.never, "%s", text);
        status_reports_release(&reports);
    }
}

Test(status_reports, read_times_with_zones_and_fractions)
{
    static const struct {
        const char *text;
        int64_t time_s;
    } cases[] = {
        {"1970-01-01T00:00:01Z", 1},
        {"1970-01-01T01:30:01+01:30", 1},
        {"1969-12-31T23:00:01.25-01:00", 1},
        {"2026-11-23T09:21:20.123456789Z", 1795425680},
        {"0001-01-01T00:00:00Z", -62135596800},
        {"", 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[128];

        snprintf(text, sizeof text, "[{\"connected\":\"%s\"}]", cases[i].text);
        struct status_reports reports = read_good(text);

        cr_expect_eq(reports.list->connected_s, cases[i].time_s, "%s", text);
        status_reports_release(&reports);
    }
}

Test(status_reports, pass_over_what_they_do_not_know)
{
    struct status_reports reports =
        read_good("[{\"topic\":\"t\",\"new\":{\"deep\":[1,2,{}]},\"stats\":{\"more\":3,\"tx\":"
                  "{\"last\":5,\"median\":1}},\"scopes\":null,\"canRead\":null}]");

    cr_assert_str_eq(reports.list->topic, "t");
    cr_assert_eq(reports.list->tx.last_ns, 5);
    cr_assert(!reports.list->tx.never && reports.list->rx.never);
    status_reports_release(&reports);
}

Test(status_reports, leave_out_scopes_beyond_the_bound)
{
    char text[512] = "[{\"scopes\":[\"s0\"";

    for (int i = 1; i < 20; i++) {
        snprintf(text + strlen(text), sizeof text - strlen(text), ",\"s%d\"", i);
    }
    snprintf(text + strlen(text), sizeof text - strlen(text), "]}]");
    struct status_reports reports = read_good(text);

    cr_assert_eq(reports.list->scopes_count, RELAY_STATUS_SCOPES_MAX);
    cr_assert_str_eq(reports.list->scopes[RELAY_STATUS_SCOPES_MAX - 1], "s15");
    status_reports_release(&reports);
}

Test(status_reports, tell_reports_from_commands_and_blanks)
{
    static const struct {
        const char *text;
        enum status_reports_result result;
        size_t used;
    } cases[] = {
        {"[]", STATUS_REPORTS_OK, 2},
        {" [ ] [1]", STATUS_REPORTS_OK, 4},
        {"[]{\"cmd\":\"update\"}", STATUS_REPORTS_OK, 2},
        {"{\"cmd\":\"update\"}[]", STATUS_REPORTS_OTHER, 16},
        {"", STATUS_REPORTS_END, 0},
        {" \r\n\t", STATUS_REPORTS_END, 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct status_reports reports = {0};
        char error[RELAY_STATUS_ERROR_SIZE];
        size_t used = 0;

        cr_expect_eq(read_text(cases[i].text, &reports, &used, error), cases[i].result, "%s: %s",
                     cases[i].text, error);
        cr_expect_eq(used, cases[i].used, "%s", cases[i].text);
        status_reports_release(&reports);
    }
}

Test(status_reports, refuse_wrong_types_and_say_where)
{
    static const struct {
        const char *text;
        const char *error;
    } cases[] = {
        {"[1]", "report 0: itself is not an object"},
        {"[{},[]]", "report 1: itself is not an object"},
        {"[{\"canRead\":\"yes\"}]", "report 0: canRead is neither true nor false"},
        {"[{},{\"can_write\":1}]", "report 1: canWrite is neither true nor false"},
        {"[{\"topic\":5}]", "report 0: topic is not a string"},
        {"[{\"userAgent\":{}}]", "report 0: userAgent is not a string"},
        {"[{\"connected\":\"yesterday\"}]", "report 0: connected is not a time (RFC 3339)"},
        {"[{\"expiresAt\":\"2026-11-23T09:21:20\"}]",
         "report 0: expiresAt is not a time (RFC 3339)"},
        {"[{\"expiresAt\":\"2026-11-23T09:21:20+1:30\"}]",
         "report 0: expiresAt is not a time (RFC 3339)"},
        {"[{\"expiresAt\":1700000000}]", "report 0: expiresAt is not a string"},
        {"[{\"scopes\":\"read\"}]", "report 0: scopes is not an array"},
        {"[{\"scopes\":[\"read\",1]}]", "report 0: scopes holds what is not a string"},
        {"[{\"stats\":[]}]", "report 0: stats is not an object"},
        {"[{\"stats\":{\"tx\":3}}]", "report 0: tx is not an object"},
        {"[{\"stats\":{\"tx\":{\"fps\":\"24\"}}}]", "report 0: fps is not a number"},
        {"[{\"stats\":{\"tx\":{\"last\":\"soon\"}}}]",
         "report 0: last is neither a duration nor nanoseconds"},
        {"[{\"stats\":{\"tx\":{\"last\":1.5}}}]",
         "report 0: last is neither a duration nor nanoseconds"},
        {"[{\"stats\":{\"tx\":{\"last\":\"999999999999h\"}}}]",
         "report 0: last is neither a duration nor nanoseconds"},
        {"[{\"topic\":\"t\"}", "not JSON, at byte "},
        {"secret", "not JSON, at byte "},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct status_reports reports = {0};
        char error[RELAY_STATUS_ERROR_SIZE];
        size_t used = 77;

        cr_expect_eq(read_text(cases[i].text, &reports, &used, error), STATUS_REPORTS_BAD, "%s",
                     cases[i].text);
        cr_expect_eq(strncmp(error, cases[i].error, strlen(cases[i].error)), 0, "%s", error);
        cr_expect_eq(used, 77);
        cr_expect_null(reports.list);
    }
}

static char *repeated(const char *first, const char *each, size_t count, const char *last)
{
    size_t each_len = strlen(each), at = strlen(first);
    char *text = malloc(at + count * each_len + strlen(last) + 1);

    memcpy(text, first, at);
    for (size_t i = 0; i < count; i++, at += each_len) {
        memcpy(text + at, each, each_len);
    }
    memcpy(text + at, last, strlen(last) + 1);
    return text;
}

Test(status_reports, are_bounded_in_number)
{
    char error[RELAY_STATUS_ERROR_SIZE];
    struct status_reports reports;
    size_t used;
    char *most = repeated("[", "{},", RELAY_STATUS_REPORTS_MAX - 1, "{}]");
    char *more = repeated("[", "{},", RELAY_STATUS_REPORTS_MAX, "{}]");

    cr_assert(status_reports_are_bounded(bytes_of_text(most)));
    cr_assert_eq(read_text(most, &reports, &used, error), STATUS_REPORTS_OK);
    cr_assert_eq(reports.count, RELAY_STATUS_REPORTS_MAX);
    status_reports_release(&reports);
    cr_assert_eq(read_text(more, &reports, &used, error), STATUS_REPORTS_TOO_BIG);
    free(most);
    free(more);
}

Test(status_reports, are_bounded_in_structure_but_not_by_what_clients_call_themselves)
{
    char *objects = repeated("[", "{},", 8 * (size_t)RELAY_STATUS_REPORTS_MAX, "{}]");
    char *numbers = repeated("[", "1,", 41 * (size_t)RELAY_STATUS_REPORTS_MAX, "1]");
    char *agent = repeated("[{\"userAgent\":\"\\\"", "{[,\\\\", 1000000, "\"}]");
    char *blanks = repeated("", " ", RELAY_STATUS_BYTES_MAX, " ");

    cr_assert_not(status_reports_are_bounded(bytes_of_text(objects)));
    cr_assert_not(status_reports_are_bounded(bytes_of_text(numbers)));
    cr_assert_not(status_reports_are_bounded(bytes_of_text(blanks)));
    cr_assert(status_reports_are_bounded(bytes_of_text(agent)));
    free(objects);
    free(numbers);
    free(agent);
    free(blanks);
}
