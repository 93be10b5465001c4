/* Scenario letters, addresses and process lists: what users type. */
#include "perf/scenario.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>

#include "perf/load/url.h"
#include "perf/target/process.h"

Test(scenario, letters_give_their_shapes)
{
    static const char *const shapes[] = {"1x1x4096@2000", "1x1x65536@1000", "20x2x4096@100",
                                         "100x2x4096@25", "1x100x4096@100", "1x100x65536@25"};
    struct scenario_list list;
    char text[SCENARIO_TEXT_SIZE];

    cr_assert_eq(scenario_list_parse("A-F", &list), 0);
    cr_assert_eq(list.count, 6);
    for (unsigned i = 0; i < list.count; i++) {
        scenario_text(&list.items[i], text);
        cr_assert_str_eq(text, shapes[i]);
    }
}

Test(scenario, lists_and_ranges_are_read)
{
    static const struct {
        const char *text;
        const char *names;
    } rows[] = {{"A", "A"},          {"f", "F"},       {"A,C", "AC"}, {"C-E", "CDE"},
                {"A,C-D,F", "ACDF"}, {"E,A,E", "EAE"}, {"B-B", "B"}};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct scenario_list list;
        char names[SCENARIO_LIST_MAX + 1] = "";

        cr_assert_eq(scenario_list_parse(rows[i].text, &list), 0, "%s", rows[i].text);
        for (unsigned k = 0; k < list.count; k++) {
            names[k] = list.items[k].name[0];
        }
        cr_assert_str_eq(names, rows[i].names);
    }
}

Test(scenario, other_lists_are_refused)
{
    static const char *const rows[] = {"",    "G",   "A-",   "-A",  "A,",    ",A",
                                       "B-A", "A B", "A--C", "A-G", "A-B-C", "1"};
    struct scenario_list list = {.count = 42};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_eq(scenario_list_parse(rows[i], &list), -EINVAL, "%s", rows[i]);
        cr_assert_eq(list.count, 42);
    }
    cr_assert_eq(scenario_list_parse("A-F,A-F,A-F,A-F,A-F,A-F", &list), -E2BIG);
}

Test(scenario, counts_connections)
{
    struct scenario scenario = {.topics = 20, .viewers = 2, .rate = 1};

    cr_assert_eq(scenario_connections(&scenario), 60);
    scenario.rate = 0;
    cr_assert_eq(scenario_connections(&scenario), 40);
}

Test(url, parts_are_found)
{
    static const struct {
        const char *text;
        bool is_tls;
        const char *host;
        unsigned port;
        const char *target;
    } rows[] = {
        {"http://127.0.0.1:3000", false, "127.0.0.1", 3000, "/"},
        {"https://relay.example.org/ed0/access", true, "relay.example.org", 443, "/ed0/access"},
        {"ws://localhost/session/t?code=1", false, "localhost", 80, "/session/t?code=1"},
        {"wss://h:1?x=y", true, "h", 1, "/?x=y"},
        {"ws://[::1]:65535/a b", false, "::1", 65535, "/a%20b"},
        {"ws://[::1]", false, "::1", 80, "/"},
        {"ws://h/a@b:c", false, "h", 80, "/a@b:c"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct url url;

        cr_assert_eq(url_parse(rows[i].text, &url), 0, "%s", rows[i].text);
        cr_assert_eq(url.is_tls, rows[i].is_tls);
        cr_assert_str_eq(url.host, rows[i].host);
        cr_assert_eq(url.port, rows[i].port);
        cr_assert_str_eq(url.target, rows[i].target);
    }
}

Test(url, others_are_refused)
{
    static const char *const rows[] = {"",
                                       "h",
                                       "ftp://h/",
                                       "http:/h",
                                       "http://",
                                       "http:///x",
                                       "ws://h:/",
                                       "ws://h:0/",
                                       "ws://h:65536/",
                                       "ws://h:1x/",
                                       "ws://user@h/x",
                                       "ws://[::1",
                                       "ws://[]/x",
                                       "ws://[::1]x/",
                                       "ws://h/a\r\nX: y",
                                       "ws://h/\x7f"};

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        struct url url = {.port = 42};

        cr_assert_eq(url_parse(rows[i], &url), -EINVAL, "%s", rows[i]);
        cr_assert_eq(url.port, 42);
    }
}

Test(url, long_parts_are_refused)
{
    struct url url;
    char text[URL_TARGET_SIZE + 64];

    snprintf(text, sizeof text, "ws://%0*d/", URL_HOST_SIZE, 0);
    cr_assert_eq(url_parse(text, &url), -ENAMETOOLONG);
    snprintf(text, sizeof text, "ws://h/%0*d", URL_TARGET_SIZE, 0);
    cr_assert_eq(url_parse(text, &url), -ENAMETOOLONG);
}

Test(process_set, ids_are_read)
{
    struct process_set set;

    cr_assert_eq(process_set_parse("12,34,5", &set), 0);
    cr_assert_eq(set.count, 3);
    cr_assert_eq(set.pids[0], 12);
    cr_assert_eq(set.pids[2], 5);
}

Test(process_set, others_are_refused)
{
    static const char *const rows[] = {"", "x", "1,", ",1", "0", "-1", "1;2", "99999999999"};
    struct process_set set;

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_eq(process_set_parse(rows[i], &set), -EINVAL, "%s", rows[i]);
    }
    cr_assert_eq(process_set_parse("1,2,3,4,5,6,7,8,9,1,2,3,4,5,6,7,8", &set), -E2BIG);
}
