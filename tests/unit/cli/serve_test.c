/* Goal: relay serve starts with complete options only, in the words that scripts match. Method: the
 * command in this process; the server is the test's. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/attributes.h"
#include "cli/command.h"
#include "server/config_table.h"
#include "server/server.h"

static unsigned served;
static int64_t seen_port;

int server_check(const struct server_config *config)
{
    return 7;
}

int server_run(const struct server_config *config, const struct config_source *source)
{
    (void)source;
    served++;
    seen_port = config->port_access;
    return 6;
}

static void start(void)
{
    for (size_t i = 0; i < serve_option_table.specs_count; i++) {
        unsetenv(serve_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
}

TestSuite(cli_serve, .init = start);

static int run(char *flag)
{
    char *argv[] = {(char[]){"serve"}, flag, NULL};
    int status = command_serve(flag == NULL ? 1 : 2, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

static void set_required(void)
{
    setenv("RELAY_AUDIENCE", "https://relay.example/access", 1);
    setenv("RELAY_URL", "wss://relay.example/relay", 1);
    setenv("RELAY_SECRET", "somesecret", 1);
}

Test(cli_serve, runs_until_the_server_ends_and_passes_its_status_on)
{
    set_required();
    cr_expect_eq(run((char[]){"--port-access=4000"}), 6);
    cr_expect_eq(served, 1);
    cr_expect_eq(seen_port, 4000);
}

Test(cli_serve, names_everything_that_is_missing)
{
    cr_expect_eq(run(NULL), 1);
    cr_expect_eq(served, 0);
    cr_expect_stdout_eq_str("You must set RELAY_AUDIENCE\nYou must set RELAY_URL\n"
                            "You must set RELAY_SECRET\n");
}

Test(cli_serve, takes_a_key_from_any_source)
{
    static const char *const sources[] = {"RELAY_SECRETS_FILE", "RELAY_PUBLIC_KEYS"};

    set_required();
    unsetenv("RELAY_SECRET");
    cr_expect_eq(run(NULL), 1);
    for (size_t i = 0; i < ARRAY_LENGTH(sources); i++) {
        setenv(sources[i], "/some/file", 1);
        cr_expect_eq(run(NULL), 6, "%s", sources[i]);
        unsetenv(sources[i]);
    }
}

Test(cli_serve, does_not_start_with_options_that_it_does_not_know)
{
    set_required();
    cr_expect_eq(run((char[]){"--nothing"}), 1);
    cr_expect_eq(served, 0);
}

Test(cli_serve, does_not_start_with_values_that_it_does_not_take)
{
    set_required();
    setenv("RELAY_LOG_LEVEL", "loud", 1);
    cr_expect_eq(run(NULL), 1);
    cr_expect_eq(served, 0);
}

Test(cli_serve, helps_without_starting)
{
    cr_expect_eq(run((char[]){"--help"}), 0);
    cr_expect_eq(served, 0);
}

Test(cli_serve, only_checks_when_asked)
{
    set_required();
    cr_expect_eq(run((char[]){"--check-config"}), 7);
    cr_expect_eq(served, 0);
}

Test(cli_serve, takes_a_file_below_environment_and_flags)
{
    char path[] = "/tmp/relay-serve-test-XXXXXX", flag[128];
    FILE *file = fdopen(mkstemp(path), "w");

    cr_assert_not_null(file);
    fprintf(file, "RELAY_AUDIENCE=https://file.example\nRELAY_URL=wss://file.example\n"
                  "RELAY_SECRET=s\nRELAY_PORT_ACCESS=4001\n");
    fclose(file);
    snprintf(flag, sizeof flag, "--config=%s", path);
    cr_expect_eq(run(flag), 6);
    cr_expect_eq(seen_port, 4001);
    setenv("RELAY_PORT_ACCESS", "4002", 1);
    cr_expect_eq(run(flag), 6);
    cr_expect_eq(seen_port, 4002);
    unlink(path);
    cr_expect_eq(run(flag), 1);
}
