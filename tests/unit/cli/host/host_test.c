/* Goal: relay host starts with its options, and not with others. Method: the command in this
 * process; the host is the test's. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdlib.h>

#include "base/log.h"
#include "cli/command.h"
#include "host/host.h"

static unsigned runs;
static struct host_settings seen;

int host_run(const struct host_settings *settings)
{
    runs++;
    seen = *settings;
    return 6;
}

static int run(char *option)
{
    char *argv[] = {(char[]){"host"}, option, NULL};

    return command_host(option == NULL ? 1 : 2, argv);
}

TestSuite(cli_host, .init = cr_redirect_stderr);

Test(cli_host, starts_with_its_defaults_and_with_the_port_of_the_original)
{
    cr_assert_eq(run(NULL), 6);
    cr_assert_eq(seen.port, 8888);
    cr_assert_eq(seen.queue_age_ms, 1000);
    cr_assert_eq(seen.log_level, LOG_LEVEL_WARN);
    cr_assert_not(seen.api_remote);
    setenv("VW_PORT", "1234", 1);
    cr_assert_eq(run(NULL), 6);
    cr_assert_eq(seen.port, 1234);
    cr_assert_eq(run((char[]){"--port=99"}), 6);
    cr_assert_eq(seen.port, 99);
}

Test(cli_host, does_not_start_with_what_it_does_not_know)
{
    cr_assert_eq(run((char[]){"--nothing"}), 1);
    cr_assert_eq(run((char[]){"--port=0"}), 1);
    setenv("VW_PORT", "", 1);
    cr_assert_eq(run(NULL), 1);
    cr_assert_eq(runs, 0);
}
