/* Goal: relay client file writes messages as practable's does, lines or bytes, until it is stopped.
 * Method: a fake client library that delivers at its start, as if from its thread. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <regex.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client_tool.h"
#include "cli/option_tables.h"
#include "tests/unit/cli/fake_client.h"

#define TIME "\\[[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}[^ ]*\\]"

static char folder[] = "/tmp/relay-client-file-test-XXXXXX";
static char path[64], old_path[64], file_flag[80];
static char content[512];

static void start(void)
{
    for (size_t i = 0; i < client_file_option_table.specs_count; i++) {
        unsetenv(client_file_option_table.specs[i].env);
    }
    cr_assert_not_null(mkdtemp(folder));
    snprintf(path, sizeof path, "%s/file", folder);
    snprintf(old_path, sizeof old_path, "%s/file.1", folder);
    snprintf(file_flag, sizeof file_flag, "--file=%s", path);
    cr_redirect_stdout();
    cr_redirect_stderr();
}

static void stop(void)
{
    unlink(path);
    unlink(old_path);
    rmdir(folder);
}

TestSuite(cli_client_file, .init = start, .fini = stop);

static int run(char *flag)
{
    char *argv[] = {(char[]){"file"}, (char[]){"--session=ws://127.0.0.1/t"}, file_flag, flag,
                    NULL};
    int status = command_client_file(flag == NULL ? 3 : 4, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

static void content_read(const char *file_path)
{
    FILE *file = fopen(file_path, "r");

    cr_assert_not_null(file, "%s", file_path);
    size_t len = fread(content, 1, sizeof content - 1, file);

    fclose(file);
    content[len] = '\0';
}

static void expect_content_like(const char *pattern)
{
    regex_t form;

    content_read(path);
    cr_assert_eq(regcomp(&form, pattern, REG_EXTENDED | REG_NOSUB), 0);
    cr_expect_eq(regexec(&form, content, 0, NULL, 0), 0, "\"%s\" is not like %s", content, pattern);
    regfree(&form);
}

static void two_messages(struct relay_client *client)
{
    fake_say(client, &(struct relay_client_event){.state = RELAY_CLIENT_CONNECTED});
    fake_deliver(client, RELAY_CLIENT_TEXT, "hello");
    fake_deliver(client, RELAY_CLIENT_BINARY, "\001\002\003");
    kill(getpid(), SIGTERM);
}

Test(cli_client_file, writes_a_line_for_each_message)
{
    fake_on_start = two_messages;
    cr_expect_eq(run(NULL), CLIENT_TOOL_OK);
    expect_content_like("^" TIME " hello\n" TIME " AQID\n$");
    cr_expect_eq(fake_clients[0].stopped, 1);
    cr_expect_str_eq(fake_clients[0].location, "ws://127.0.0.1/t");
    cr_expect_eq(fake_clients[0].options.retries_max, 0, "without limit");
}

Test(cli_client_file, writes_bytes_only_when_asked)
{
    fake_on_start = two_messages;
    cr_expect_eq(run((char[]){"--mode=binary"}), CLIENT_TOOL_OK);
    content_read(path);
    cr_expect_str_eq(content, "hello\001\002\003");
}

static void rotated(struct relay_client *client)
{
    fake_deliver(client, RELAY_CLIENT_TEXT, "hello");
    cr_assert_eq(rename(path, old_path), 0);
    kill(getpid(), SIGHUP); /* has the lowest number, so it is taken first */
    kill(getpid(), SIGTERM);
}

Test(cli_client_file, opens_a_new_file_on_sighup)
{
    fake_on_start = rotated;
    cr_expect_eq(run((char[]){"--mode=binary"}), CLIENT_TOOL_OK);
    content_read(old_path);
    cr_expect_str_eq(content, "hello");
    content_read(path);
    cr_expect_str_eq(content, "");
}

static void interrupted(struct relay_client *client)
{
    kill(getpid(), SIGINT);
}

static void told_nothing(struct relay_client *client)
{
    kill(getpid(), SIGUSR1); /* taken before SIGTERM, whose number is higher */
    kill(getpid(), SIGTERM);
}

Test(cli_client_file, makes_nothing_of_sigusr1)
{
    fake_on_start = told_nothing;
    cr_expect_eq(run(NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].stopped, 1);
}

Test(cli_client_file, stops_on_sigint)
{
    fake_on_start = interrupted;
    cr_expect_eq(run(NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].stopped, 1);
}

Test(cli_client_file, refuses_other_modes_before_it_makes_a_file)
{
    cr_expect_eq(run((char[]){"--mode=json"}), CLIENT_TOOL_CONFIG);
    cr_expect_stdout_eq_str("RELAY_CLIENT_MODE must be text or binary, not json\n");
    cr_expect_eq(access(path, F_OK), -1);
    cr_expect_eq(fake_clients_count, 0);
}

Test(cli_client_file, says_that_it_cannot_open_the_file)
{
    snprintf(file_flag, sizeof file_flag, "--file=/nowhere/file");
    cr_expect_eq(run(NULL), CLIENT_TOOL_CONFIG);
    cr_expect_stdout_eq_str(
        "cannot open RELAY_CLIENT_FILE=/nowhere/file: No such file or directory\n");
}

Test(cli_client_file, passes_on_why_there_is_no_client)
{
    fake_create_error = "the location is invalid";
    cr_expect_eq(run(NULL), CLIENT_TOOL_CONFIG);
    cr_expect_stdout_eq_str("the location is invalid\n");
}

Test(cli_client_file, says_that_it_cannot_start)
{
    fake_start_result = -EAGAIN;
    cr_expect_eq(run(NULL), CLIENT_TOOL_CONFIG);
    cr_expect_stdout_eq_str("cannot start: Resource temporarily unavailable\n");
}

static void measured(struct relay_client *client)
{
    cr_expect(client->options.relay_v1);
    fake_say(client, &(struct relay_client_event){.state = RELAY_CLIENT_CONNECTED});
    fake_statistics.messages_received = 7;
    fake_statistics.round_trip_ns = 180000;
    fake_statistics.hops[RELAY_CLIENT_HOP_IN_RELAY] =
        (struct relay_client_hop_latency){.messages = 7, .p50_us = 31, .p99_us = 79};
    kill(getpid(), SIGUSR1);
    kill(getpid(), SIGTERM);
}

Test(cli_client_file, logs_latency_when_asked)
{
    char logged[4096] = "";

    fake_on_start = measured;
    cr_expect_eq(run((char[]){"--latency"}), CLIENT_TOOL_OK);
    FILE *log = cr_get_redirected_stderr();
    size_t len = fread(logged, 1, sizeof logged - 1, log);

    logged[len] = '\0';
    cr_expect_not_null(strstr(logged, "the relay does not speak relay.v1"), "%s", logged);
    char *first = strstr(logged, "\"messages\":7,\"round_trip_us\":180,\"in_relay_p50_us\":31,"
                                 "\"in_relay_p99_us\":79");

    cr_assert_not_null(first, "%s", logged);
    cr_expect_not_null(strstr(first + 1, "\"messages\":7"), "at the end, too: %s", logged);
}
