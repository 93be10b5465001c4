/* Lines of the log file: the time as Go writes it, and what follows it. */
#include "cli/client_line.h"

#include <criterion/criterion.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

static void zone_set(const char *zone)
{
    setenv("TZ", zone, 1);
    tzset();
}

Test(client_line, writes_local_time_without_trailing_zeros)
{
    static const struct {
        const char *zone;
        uint64_t wall_ns;
        const char *text;
    } cases[] = {
        {"UTC", 1647198932015000000u, "2022-03-13T19:15:32.015Z"},
        {"UTC", 1647198932000000000u, "2022-03-13T19:15:32Z"},
        {"UTC", 1647198932000000001u, "2022-03-13T19:15:32.000000001Z"},
        {"UTC", 1647198932100000000u, "2022-03-13T19:15:32.1Z"},
        {"UTC", 0, "1970-01-01T00:00:00Z"},
        {"<+01>-1", 1647198932015000000u, "2022-03-13T20:15:32.015+01:00"},
        {"<+0530>-5:30", 1647198932015000000u, "2022-03-14T00:45:32.015+05:30"},
        {"<-0330>3:30", 1647198932999999999u, "2022-03-13T15:45:32.999999999-03:30"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[CLIENT_LINE_TIME_SIZE];

        zone_set(cases[i].zone);
        client_line_time(cases[i].wall_ns, text);
        cr_assert_str_eq(text, cases[i].text);
    }
}

Test(client_line, puts_text_as_it_is_and_the_rest_in_base64)
{
    static const struct {
        const char *message;
        size_t len;
        bool is_text;
        const char *content;
    } cases[] = {
        {"There was a \"bright\" spark", 26, true, "There was a \"bright\" spark"},
        {"", 0, true, ""},
        {"", 0, false, ""},
        {"\x00\xff", 2, false, "AP8="},
        {"abc", 3, false, "YWJj"},
        {"two\nlines", 9, true, "two\nlines"},
        {"a\0b", 3, true, "a\0b"},
    };

    zone_set("UTC");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char *line;
        size_t len;
        size_t content_len = cases[i].is_text ? cases[i].len : strlen(cases[i].content);
        const char start[] = "[2022-03-13T19:15:32.015Z] ";

        cr_assert_eq(client_line_make(1647198932015000000u,
                                      bytes_of(cases[i].message, cases[i].len), cases[i].is_text,
                                      &line, &len),
                     0);
        cr_assert_eq(len, strlen(start) + content_len + 1, "case %zu", i);
        cr_assert_eq(memcmp(line, start, strlen(start)), 0);
        cr_assert_eq(memcmp(line + strlen(start), cases[i].content, content_len), 0);
        cr_assert_eq(line[len - 1], '\n');
        free(line);
    }
}
