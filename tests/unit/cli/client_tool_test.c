/* Goal: the client tools' options are complete or named, their signals come one after the other,
 * and events are logged by how much they matter. Method: the command's values are a test's. */
#include "cli/client_tool.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/log.h"

static const struct option_spec specs[] = {CLIENT_TOOL_SPECS};
static const struct option_table table = {
    .command = "relay client test", .specs = specs, .specs_count = ARRAY_LENGTH(specs)};

static char folder[] = "/tmp/relay-client-tool-test-XXXXXX";
static char path[64];

static void start(void)
{
    for (size_t i = 0; i < table.specs_count; i++) {
        unsetenv(specs[i].env);
    }
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
}

static void stop(void)
{
    unlink(path);
    rmdir(folder);
}

TestSuite(client_tool, .init = start, .fini = stop);

/* Options. */

static bool read_options(char *flag_1, char *flag_2, int *ret_status)
{
    char *argv[] = {(char[]){"test"}, flag_1, flag_2, NULL};
    struct client_tool_options options = {0};
    bool complete = client_tool_options_read(&table,
                                             flag_1 == NULL   ? 1
                                             : flag_2 == NULL ? 2
                                                              : 3,
                                             argv, &options, ret_status);

    options_release(&table, &options);
    fflush(stdout);
    fflush(stderr);
    return complete;
}

Test(client_tool, needs_a_session_and_a_token)
{
    int status = -1;

    cr_redirect_stdout();
    cr_expect_not(read_options(NULL, NULL, &status));
    cr_expect_eq(status, CLIENT_TOOL_CONFIG);
    cr_expect_stdout_eq_str("RELAY_CLIENT_SESSION not set\nRELAY_CLIENT_TOKEN not set\n");
}

Test(client_tool, needs_no_token_to_dial_directly)
{
    int status = -1;

    cr_redirect_stdout();
    cr_expect(read_options((char[]){"--session=ws://h/t"}, NULL, &status));
    cr_expect(read_options((char[]){"--session=WSS://h/t"}, NULL, &status));
    cr_expect(
        read_options((char[]){"--session=https://h/session/t"}, (char[]){"--token=t"}, &status));
    cr_expect(read_options((char[]){"--session=https://h/session/t"}, (char[]){"--token-file=f"},
                           &status));
    cr_expect_not(read_options((char[]){"--session=https://h/session/t"}, NULL, &status));
    cr_expect_eq(status, CLIENT_TOOL_CONFIG);
}

Test(client_tool, refuses_options_that_it_does_not_know)
{
    int status = -1;

    cr_redirect_stderr();
    cr_expect_not(read_options((char[]){"--nothing"}, NULL, &status));
    cr_expect_eq(status, CLIENT_TOOL_CONFIG);
    char text[256];
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    text[len] = '\0';
    cr_expect_eq(strncmp(text, "relay client test: ", 19), 0, "%s", text);
}

Test(client_tool, helps_with_status_zero)
{
    int status = -1;

    cr_redirect_stdout();
    cr_expect_not(read_options((char[]){"--help"}, NULL, &status));
    cr_expect_eq(status, CLIENT_TOOL_OK);
}

Test(client_tool, allows_unencrypted_connections_to_others_only_with_a_warning)
{
    static const struct {
        const char *url;
        bool insecure;
        bool allowed;
    } cases[] = {
        {"http://relay.example/session/t", false, true},
        {"ws://relay.example/t", false, true},
        {"https://relay.example/session/t", false, false}, /* nothing to allow */
        {"wss://relay.example/t", false, false},
        {"http://127.0.0.1/session/t", false, false},
        {"ws://localhost/t", false, false},
        {"http://relay.example/session/t", true, false}, /* the library allows it by itself */
        {"relay.example", false, false},
    };

    cr_redirect_stderr();
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect_eq(client_tool_allow_plain(cases[i].url, cases[i].insecure), cases[i].allowed,
                     "%s", cases[i].url);
    }
}

/* Log lines. */

Test(client_tool, logs_events_by_how_much_they_matter)
{
    static const struct {
        struct relay_client_event event;
        const char *level; /* NULL: below info */
    } cases[] = {
        {{.state = RELAY_CLIENT_ACCESSING}, NULL},
        {{.state = RELAY_CLIENT_CONNECTED}, "info"},
        {{.state = RELAY_CLIENT_WAITING, .fault = RELAY_CLIENT_FAULT_CONNECT}, "warn"},
        {{.state = RELAY_CLIENT_WAITING, .fault = RELAY_CLIENT_FAULT_REFUSED}, "error"},
        {{.state = RELAY_CLIENT_FAILED, .fault = RELAY_CLIENT_FAULT_CONNECT}, "error"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct relay_client_event event = cases[i].event;
        char text[1024], level[32];

        unlink(path);
        cr_assert_eq(log_open(path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
        event.message = "said the test";
        client_tool_log_event(&event);
        FILE *file = fopen(path, "r");

        cr_assert_not_null(file);
        size_t len = fread(text, 1, sizeof text - 1, file);

        fclose(file);
        text[len] = '\0';
        cr_expect_eq(len > 0, cases[i].level != NULL, "case %zu: %s", i, text);
        if (cases[i].level != NULL) {
            snprintf(level, sizeof level, "\"level\":\"%s", cases[i].level);
            cr_expect_not_null(strstr(text, level), "case %zu: %s", i, text);
        }
    }
}

/* Signals. */

Test(client_tool, gets_its_signals_one_after_the_other)
{
    client_tool_signals_take();
    cr_expect_eq(client_tool_signal_wait_ms(0), 0, "none has come");
    kill(getpid(), SIGTERM);
    cr_expect_eq(client_tool_signal_wait(), SIGTERM);
    kill(getpid(), SIGUSR1);
    cr_expect_eq(client_tool_signal_wait_ms(60000), SIGUSR1);
}
