/* Goal: each bound that an operator should act on gets one line in a period, however often it is
 * reached, which names an option; a flood of one hides no other.
 * Method: the log in a temporary file; a clock of the test's own. */
#include "server/stats/alarms.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { START_MS = 1000000, EVENTS = 1000 };

static char path[] = "/tmp/relay-alarm-test-XXXXXX";
static char content[1 << 16];

static void set_up(void)
{
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
}

static void tear_down(void)
{
    log_close();
    unlink(path);
}

TestSuite(alarm, .init = set_up, .fini = tear_down);

static unsigned lines_with(const char *text)
{
    FILE *file = fopen(path, "r");
    unsigned count = 0;

    cr_assert_not_null(file);
    content[fread(content, 1, sizeof content - 1, file)] = '\0';
    fclose(file);
    for (const char *at = content; (at = strstr(at, text)) != NULL; at++) {
        count++;
    }
    return count;
}

Test(alarm, is_one_line_in_a_period_for_each_bound)
{
    struct alarms alarms = {0};

    for (unsigned i = 0; i < EVENTS; i++) {
        for (unsigned kind = 0; kind < ALARM_COUNT; kind++) {
            alarms_raise(&alarms, (enum alarm_kind)kind, START_MS + i);
        }
    }
    cr_assert_eq(lines_with("\n"), ALARM_COUNT, "%s", content);
    cr_assert_eq(lines_with("\"suppressed\":0"), ALARM_COUNT);
    for (unsigned kind = 0; kind < ALARM_COUNT; kind++) {
        alarms_raise(&alarms, (enum alarm_kind)kind, START_MS + LOG_LIMIT_PERIOD_MS);
    }
    cr_assert_eq(lines_with("\n"), ALARM_COUNT * 2);
    cr_assert_eq(lines_with("\"suppressed\":999"), ALARM_COUNT, "%s", content);
}

Test(alarm, names_the_option_that_cures_it)
{
    static const char *const options[ALARM_COUNT] = {
        [ALARM_CONNECTIONS] = "RELAY_CONNECTIONS_MAX",
        [ALARM_DESCRIPTORS] = "LimitNOFILE",
        [ALARM_MESSAGE_MEMORY] = "RELAY_MESSAGE_MEMORY",
        [ALARM_MESSAGE_SHARE] = "RELAY_MESSAGE_MEMORY",
        [ALARM_MAILBOX] = "RELAY_WORKERS",
        [ALARM_PUBLISH_RATE] = "RELAY_PUBLISH_RATE",
        [ALARM_REQUEST_MEMORY] = "RELAY_HANDSHAKE_TIMEOUT",
        [ALARM_PLACES] = "RELAY_CONNECTIONS_MAX",
        [ALARM_CODES] = "RELAY_CODES_MAX",
        [ALARM_BOOKINGS] = "RELAY_BOOKINGS_MAX",
        [ALARM_STORE] = "RELAY_STORE",
        [ALARM_REPORTS] = "RELAY_STATS_EVERY",
        [ALARM_REPORT_CUT] = "RELAY_CONNECTIONS_MAX",
    };
    struct alarms alarms = {0};

    for (unsigned kind = 0; kind < ALARM_COUNT; kind++) {
        unsigned before = lines_with(options[kind]);
        char field[64];

        alarms_raise(&alarms, (enum alarm_kind)kind, START_MS);
        snprintf(field, sizeof field, "\"option\":\"%s\"", options[kind]);
        cr_assert_eq(lines_with(options[kind]), before + 2, "in the text and as a field: %s",
                     content);
        cr_assert_eq(lines_with(field), before / 2 + 1, "%s", content);
    }
}

Test(alarm, of_one_bound_hides_no_other)
{
    struct alarms alarms = {0};

    for (unsigned i = 0; i < EVENTS; i++) {
        alarms_raise(&alarms, ALARM_CONNECTIONS, START_MS);
    }
    alarms_raise_about(&alarms, ALARM_DESCRIPTORS, START_MS, "error", "Too many open files");
    alarms_raise_about(&alarms, ALARM_MESSAGE_SHARE, START_MS, "topic", "t0");
    cr_assert_eq(lines_with("\"option\":\"RELAY_CONNECTIONS_MAX\""), 1);
    cr_assert_eq(lines_with("\"error\":\"Too many open files\""), 1, "%s", content);
    cr_assert_eq(lines_with("\"topic\":\"t0\""), 1, "%s", content);
}
