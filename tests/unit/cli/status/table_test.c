/* Goal: reports become a table that nothing in them can spoil. Method: whole tables compared. */
#include "cli/status/table.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"

static char *printed(const struct relay_status_report *list, size_t count)
{
    const struct relay_status_reports reports = {.list = list, .count = count};
    char *text;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    table_print(&reports, out);
    fclose(out);
    return text;
}

Test(table, has_a_line_for_each_connection_by_topic)
{
    const struct relay_status_report list[] = {
        {.topic = "t1", .remote_address = "", .user_agent = "", .connected_s = 1},
        {.topic = "t0",
         .remote_address = "192.0.2.1",
         .user_agent = "ua/1",
         .can_read = true,
         .connected_s = 1795425680,
         .expires_s = 1795429280,
         .has_statistics = true,
         .tx = {.never = true},
         .rx = {.last_ns = 61 * INT64_C(1000000000), .size = 15980.4, .fps = 24.14},
         .dropped = 12345},
        {.topic = "t0",
         .remote_address = "192.0.2.22",
         .user_agent = "ua/2",
         .can_write = true,
         .connected_s = 1795425679,
         .has_statistics = true,
         .tx = {.last_ns = 42000000, .size = 3, .fps = 0.25},
         .rx = {.last_ns = 7384 * INT64_C(1000000000)}},
    };
    char *text = printed(list, ARRAY_LENGTH(list));

    cr_assert_str_eq(
        text, "TOPIC  RW  CONNECTED            EXPIRES               SENT  PER S  BYTES  RECEIVED  "
              "PER S  BYTES  DROPPED  ADDRESS     AGENT\n"
              "t0     -w  2026-11-23 09:21:19  -                    0.04s    0.2      3     2h03m  "
              "  0.0      0        0  192.0.2.22  ua/2\n"
              "t0     r-  2026-11-23 09:21:20  2026-11-23 10:21:20  never    0.0      0     1m01s  "
              " 24.1  15980    12345  192.0.2.1   ua/1\n"
              "t1     --  1970-01-01 00:00:01  -                        -      -      -         -  "
              "    -      -        -  -           -\n");
    free(text);
}

Test(table, has_columns_for_the_hops_that_are_known)
{
    const struct relay_status_report list[] = {
        {.topic = "t",
         .remote_address = "",
         .user_agent = "",
         .latency = {[RELAY_STATUS_RELAY] = {.known = true, .p50_ms = 0.0512, .p99_ms = 1234.5}}},
        {.topic = "t", .remote_address = "", .user_agent = ""},
    };
    char *text = printed(list, ARRAY_LENGTH(list));

    cr_assert_not_null(strstr(text, "DROPPED    RELAY MS  ADDRESS"), "%s", text);
    cr_assert_not_null(strstr(text, "-  0.1/1234.5  -"), "%s", text);
    cr_assert_null(strstr(text, "DECODE"));
    free(text);
}

Test(table, of_nothing_is_its_head)
{
    char *text = printed(NULL, 0);

    cr_assert_not_null(strchr(text, '\n'));
    const char *end = strchr(text, '\n');

    cr_assert_not_null(end);
    cr_assert_str_eq(end, "\n");
    free(text);
}

Test(table, shows_printable_ascii_only_and_cuts_long_texts)
{
    static const struct {
        const char *agent;
        const char *shown;
    } cases[] = {
        {"\033[2J\a\r\n\x7f", "?[2J????"},
        {"\u00e9t\u00e9 \u4e2d", "?t? ?"},
        {"\xc2\x9b"
         "31m",
         "?31m"},
        {"123456789012345678901234567890123456789012345678",
         "123456789012345678901234567890123456789012345678"},
        {"1234567890123456789012345678901234567890123456789",
         "12345678901234567890123456789012345678901234567>"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct relay_status_report report = {
            .topic = "t", .remote_address = "", .user_agent = cases[i].agent};
        char *text = printed(&report, 1);
        char *agent = strrchr(text, ' ');
        size_t len = strlen(cases[i].shown);

        cr_assert_not_null(agent);
        cr_expect_eq(strlen(text) > len, true);
        cr_expect_eq(memcmp(text + strlen(text) - 1 - len, cases[i].shown, len), 0, "%s", text);
        free(text);
    }
}

Test(table, survives_impossible_times)
{
    struct relay_status_report report = {
        .topic = "t",
        .remote_address = "",
        .user_agent = "",
        .connected_s = INT64_MAX,
        .expires_s = INT64_MIN,
        .has_statistics = true,
        .tx = {.last_ns = INT64_MAX, .size = 1e308, .fps = -1e308}};
    char *text = printed(&report, 1);

    cr_assert_not_null(strstr(text, "2562047h47m"));
    free(text);
}
