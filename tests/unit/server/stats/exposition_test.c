/* Goal: both formats are what their specifications say, labels survive any bytes, and the text ends
 * at its bound. promtool reads a whole scrape in tests/e2e/test_admin.py. */
#include "server/stats/exposition.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void write_all(struct exposition *out, bool is_openmetrics)
{
    struct histogram histogram = {0};

    exposition_init(out, is_openmetrics);
    exposition_family(out, EXPOSITION_COUNTER, "turns", "Turns");
    exposition_integer(out, "", 3);
    exposition_family(out, EXPOSITION_GAUGE, "process_open_fds", "Descriptors");
    exposition_integer(out, "a=\"b\"", UINT64_MAX);
    exposition_family(out, EXPOSITION_GAUGE, "age_seconds", "Age");
    exposition_thousandths(out, "", 1002);
    histogram_add(&histogram, 60);
    histogram_add(&histogram, 10000000);
    exposition_family(out, EXPOSITION_HISTOGRAM, "turn_seconds", "Turns");
    exposition_histogram(out, &histogram);
    exposition_end(out);
    cr_assert(!out->failed);
}

static void expect(const struct exposition *out, const char *part)
{
    char *text = strndup(out->text, out->len);

    cr_assert_not_null(strstr(text, part), "%s is not in\n%s", part, text);
    free(text);
}

Test(exposition, text_format_names_counters_as_their_samples)
{
    struct exposition out;

    write_all(&out, false);
    expect(&out, "# HELP relay_turns_total Turns.\n# TYPE relay_turns_total counter\n"
                 "relay_turns_total 3\n"
                 "# HELP process_open_fds Descriptors.\n# TYPE process_open_fds gauge\n"
                 "process_open_fds{a=\"b\"} 18446744073709551615\n");
    expect(&out, "relay_age_seconds 1.002\n");
    expect(&out, "relay_turn_seconds_bucket{le=\"0.00005\"} 0\n"
                 "relay_turn_seconds_bucket{le=\"0.0001\"} 1\n");
    expect(&out, "relay_turn_seconds_bucket{le=\"+Inf\"} 2\nrelay_turn_seconds_sum 10.000060\n"
                 "relay_turn_seconds_count 2\n");
    cr_assert_null(memmem(out.text, out.len, "# EOF", 5));
    free(out.text);
}

Test(exposition, openmetrics_names_families_and_ends)
{
    struct exposition out;

    write_all(&out, true);
    expect(&out, "# TYPE relay_turns counter\nrelay_turns_total 3\n");
    cr_assert_eq(strncmp(out.text + out.len - 6, "# EOF\n", 6), 0);
    free(out.text);
}

Test(exposition, labels_are_escaped_and_always_utf8)
{
    static const char *const cases[][2] = {
        {"plain", "topic=\"plain\""},
        {"a\"b\\c\nd", "topic=\"a\\\"b\\\\c\\nd\""},
        {"\xc3\xa4\xff!", "topic=\"\xc3\xa4\xef\xbf\xbd!\""},
        {"", "topic=\"\""},
    };
    char text[EXPOSITION_LABEL_BYTES];

    for (unsigned i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        exposition_label("topic", cases[i][0], text);
        cr_assert_str_eq(text, cases[i][1]);
    }
}

Test(exposition, long_labels_are_cut_between_characters)
{
    char name[EXPOSITION_LABEL_BYTES * 2], text[EXPOSITION_LABEL_BYTES];

    memset(name, '"', sizeof name - 1);
    name[sizeof name - 1] = '\0';
    exposition_label("topic", name, text);
    size_t len = strlen(text);

    cr_assert_lt(len, sizeof text);
    cr_assert_str_eq(text + len - 3, "\\\"\"");
}

Test(exposition, text_beyond_its_bound_fails)
{
    struct exposition out;

    exposition_init(&out, false);
    exposition_family(&out, EXPOSITION_GAUGE, "many", "Many");
    for (unsigned i = 0; i < EXPOSITION_BYTES_MAX / 10; i++) {
        exposition_integer(&out, "label=\"value\"", i);
    }
    cr_assert(out.failed);
    cr_assert_leq(out.size, EXPOSITION_BYTES_MAX);
    exposition_end(&out);
    free(out.text);
}
