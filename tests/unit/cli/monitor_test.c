/* Goal: relay monitor starts with complete options only, in the words that scripts match. Method:
 * the command in this process; the watching itself is the test's. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "cli/command.h"
#include "cli/monitor/watch.h"
#include "cli/option_tables.h"

static unsigned watched;
static struct monitor_settings seen; /* its texts are gone when the command has returned */
static char seen_secret[64];

int watch_run(const struct monitor_settings *settings)
{
    watched++;
    seen = *settings;
    snprintf(seen_secret, sizeof seen_secret, "%s", settings->secret);
    return 5;
}

static void start(void)
{
    for (size_t i = 0; i < monitor_option_table.specs_count; i++) {
        unsetenv(monitor_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_monitor, .init = start);

static int run(void)
{
    char *argv[] = {(char[]){"monitor"}, NULL};
    int status = command_monitor(1, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

static void set_required(void)
{
    setenv("RELAY_MONITOR_AUDIENCE", "https://relay.example/access", 1);
    setenv("RELAY_MONITOR_SECRET", "somesecret", 1);
}

Test(cli_monitor, starts_with_the_defaults_of_practables)
{
    set_required();
    cr_expect_eq(run(), 5);
    cr_expect_eq(watched, 1);
    cr_expect_eq(seen.interval_ms, 1000);
    cr_expect_eq(seen.threshold_ms, 200);
    cr_expect_eq(seen.trigger_after_misses, 3);
    cr_expect_eq(seen.no_retrigger_within_ms, 60000);
    cr_expect_eq(seen.reconnect_every_ms, 24 * 3600 * 1000);
    cr_expect_str_eq(seen_secret, "somesecret");
    cr_expect_not(seen.allow_plain || seen.insecure);
}

Test(cli_monitor, names_everything_that_is_missing)
{
    cr_expect_eq(run(), 1);
    cr_expect_stdout_eq_str("You must set RELAY_MONITOR_AUDIENCE\n"
                            "You must set RELAY_MONITOR_SECRET\n");
    cr_expect_eq(watched, 0);
}

Test(cli_monitor, reads_the_secret_from_a_file_when_there_is_no_other)
{
    char path[] = "/tmp/relay-monitor-test-XXXXXX";
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "filesecret\n", 11), 11);
    close(fd);
    set_required();
    setenv("RELAY_MONITOR_SECRET_FILE", path, 1);
    cr_expect_eq(run(), 5);
    cr_expect_str_eq(seen_secret, "somesecret");
    unsetenv("RELAY_MONITOR_SECRET");
    cr_expect_eq(run(), 5);
    cr_expect_str_eq(seen_secret, "filesecret");
    unlink(path);
}

Test(cli_monitor, says_why_a_secret_cannot_be_read)
{
    set_required();
    unsetenv("RELAY_MONITOR_SECRET");
    setenv("RELAY_MONITOR_SECRET_FILE", "/nowhere/secret", 1);
    cr_expect_eq(run(), 1);
    cr_expect_stderr_eq_str("relay monitor: cannot read RELAY_MONITOR_SECRET_FILE=/nowhere/secret: "
                            "No such file or directory\n");
}

Test(cli_monitor, refuses_unknown_levels)
{
    set_required();
    setenv("RELAY_MONITOR_LOG_LEVEL", "loud", 1);
    cr_expect_eq(run(), 1);
    cr_expect_stdout_eq_str("RELAY_MONITOR_LOG_LEVEL can be trace, debug, info, warn, error, fatal "
                            "or panic but not loud\n");
}

Test(cli_monitor, refuses_unknown_formats)
{
    set_required();
    setenv("RELAY_MONITOR_LOG_FORMAT", "xml", 1);
    cr_expect_eq(run(), 1);
    cr_expect_stdout_eq_str("RELAY_MONITOR_LOG_FORMAT can be json or text but not xml\n");
}

Test(cli_monitor, takes_formats_in_any_case)
{
    set_required();
    setenv("RELAY_MONITOR_LOG_FORMAT", "JSON", 1);
    cr_expect_eq(run(), 5);
}

Test(cli_monitor, takes_practables_unencrypted_audience_with_a_warning)
{
    set_required();
    setenv("RELAY_MONITOR_AUDIENCE", "http://relay.example", 1);
    cr_expect_eq(run(), 5);
    cr_expect(seen.allow_plain);
    char text[1024];
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    text[len] = '\0';
    cr_expect_not_null(strstr(text, "the connection is not encrypted"), "%s", text);
}
