/* Goal: relay status accepts complete options only, and asks the right place. Method: the command
 * in this process; what fetches the reports is the test's. */
#include "cli/command.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/attributes.h"
#include "cli/option_tables.h"
#include "cli/status/access.h"
#include "cli/status/topic.h"

static const char *asked = "nothing";
static struct status_settings seen; /* its texts are gone when the command has returned */

int topic_run(const struct status_settings *settings)
{
    asked = "topic";
    seen = *settings;
    return 3;
}

int access_run(const struct status_settings *settings)
{
    asked = "access";
    seen = *settings;
    return 4;
}

static void start(void)
{
    for (size_t i = 0; i < status_option_table.specs_count; i++) {
        unsetenv(status_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_status, .init = start);

/* Flags are separated by spaces. */
static int run(const char *flags)
{
    char text[512], *argv[16] = {(char[]){"status"}}, *rest = text, *word;
    int argc = 1;

    snprintf(text, sizeof text, "%s", flags);
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word != '\0') {
            argv[argc++] = word;
        }
    }
    int status = command_status(argc, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

Test(cli_status, asks_the_topic_or_the_access_api)
{
    static const struct {
        const char *flags;
        const char *asked;
        int status;
    } cases[] = {
        {"--session https://h/session/stats --token t", "topic", 3},
        {"--session https://h/session/stats --token-file f", "topic", 3},
        {"--session ws://127.0.0.1/stats", "topic", 3},
        {"--session WSS://h/stats", "topic", 3},
        {"--access https://h/access --token t", "access", 4},
        {"--access https://h/access --token-file f", "access", 4},
        {"", "nothing", 1},
        {"--token t", "nothing", 1},
        {"--session https://h/session/stats", "nothing", 1},
        {"--session httpws://h/stats", "nothing", 1},
        {"--access ws://h/access", "nothing", 1},
        {"--session https://h/session/stats --access https://h/access --token t", "nothing", 1},
        {"--session https://h/session/stats --token t --timeout 0s", "nothing", 1},
        {"--unknown", "nothing", 1},
        {"--help", "nothing", 0},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        asked = "nothing";
        cr_expect_eq(run(cases[i].flags), cases[i].status, "%s", cases[i].flags);
        cr_expect_str_eq(asked, cases[i].asked, "%s", cases[i].flags);
    }
}

Test(cli_status, waits_for_fifteen_seconds_unless_told_otherwise)
{
    run("--access https://h --token t");
    cr_expect_eq(seen.timeout_ms, 15000);
    cr_expect_not(seen.json || seen.watch || seen.insecure);
    run("--access https://h --token t --timeout 1h --json --watch");
    cr_expect_eq(seen.timeout_ms, 3600000);
    cr_expect(seen.json && seen.watch);
}

Test(cli_status, names_what_is_missing)
{
    cr_expect_eq(run("--token t"), 1);
    cr_expect_stderr_eq_str("relay status: RELAY_STATUS_SESSION not set\n");
}

Test(cli_status, names_the_missing_token)
{
    cr_expect_eq(run("--session https://h/session/stats"), 1);
    cr_expect_stderr_eq_str("relay status: RELAY_STATUS_TOKEN not set\n");
}

Test(cli_status, refuses_two_places)
{
    cr_expect_eq(run("--session https://h/s --access https://h --token t"), 1);
    cr_expect_stderr_eq_str(
        "relay status: set one of RELAY_STATUS_SESSION and RELAY_STATUS_ACCESS, "
        "not both\n");
}

Test(cli_status, says_that_nothing_is_verified)
{
    cr_expect_eq(run("--access https://h --token t --insecure"), 4);
    cr_expect(seen.insecure);
    cr_expect_stderr_eq_str("relay status: TLS certificate verification is disabled (--insecure): "
                            "the server's identity is not checked\n");
}
