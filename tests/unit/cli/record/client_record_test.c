/* Goal: relay client record hands what comes to a recording, and completes its file when it is told
 * to. Method: a fake client library that delivers at its start, as if from its thread. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "cli/client_tool.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "tests/unit/cli/fake_client.h"

static const char jpeg[] = "\xff\xd8\xff\xda\0\002scan\xff\xd9";

static char folder[] = "/tmp/relay-client-record-test-XXXXXX";
static char file_flag[80];

static void start(void)
{
    for (size_t i = 0; i < client_record_option_table.specs_count; i++) {
        unsetenv(client_record_option_table.specs[i].env);
    }
    cr_assert_not_null(mkdtemp(folder));
    snprintf(file_flag, sizeof file_flag, "--file=%s/lab.mjpeg", folder);
    cr_redirect_stdout();
    cr_redirect_stderr();
}

static void stop(void)
{
    char command[160];

    snprintf(command, sizeof command, "rm -r '%s'", folder);
    cr_assert_eq(system(command), 0);
}

TestSuite(cli_client_record, .init = start, .fini = stop);

static int run(char *file, char *flag)
{
    char *argv[] = {(char[]){"record"}, (char[]){"--session=ws://127.0.0.1/t"}, file, flag, NULL};
    int status = command_client_record(flag == NULL ? 3 : 4, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

/* -1: there is no such file. */
static long size_of(const char *name)
{
    char path[160];
    long size = -1;
    FILE *file;

    snprintf(path, sizeof path, "%s/%s", folder, name);
    file = fopen(path, "rb");
    if (file != NULL) {
        cr_assert_eq(fseek(file, 0, SEEK_END), 0);
        size = ftell(file);
        (void)fclose(file);
    }
    return size;
}

static void deliver_jpeg(struct relay_client *client)
{
    client->callbacks.on_message(RELAY_CLIENT_BINARY, jpeg, sizeof jpeg - 1,
                                 client->callbacks.context);
}

static void pictures(struct relay_client *client)
{
    fake_say(client, &(struct relay_client_event){.state = RELAY_CLIENT_CONNECTED});
    deliver_jpeg(client);
    fake_deliver(client, RELAY_CLIENT_TEXT, "text is no video");
    deliver_jpeg(client);
    kill(getpid(), SIGTERM);
}

Test(cli_client_record, completes_the_file_when_it_is_stopped)
{
    fake_on_start = pictures;
    cr_expect_eq(run(file_flag, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(size_of("lab.mjpeg"), 2 * (long)(sizeof jpeg - 1));
    cr_expect_eq(size_of("lab.mjpeg.part"), -1);
    cr_expect_eq(fake_clients[0].stopped, 1);
}

static void files(struct relay_client *client)
{
    deliver_jpeg(client);
    kill(getpid(), SIGHUP); /* has the lowest number, so it is taken first */
    kill(getpid(), SIGTERM);
}

Test(cli_client_record, completes_the_file_on_sighup)
{
    fake_on_start = files;
    cr_expect_eq(run(file_flag, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(size_of("lab.mjpeg"), (long)(sizeof jpeg - 1));
}

static void nothing(struct relay_client *client)
{
    fake_deliver(client, RELAY_CLIENT_BINARY, "data");
    kill(getpid(), SIGINT);
}

Test(cli_client_record, says_that_nothing_came)
{
    char text[1024];

    fake_on_start = nothing;
    cr_expect_eq(run(file_flag, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(size_of("lab.mjpeg"), -1);
    text[fread(text, 1, sizeof text - 1, cr_get_redirected_stderr())] = '\0';
    cr_expect_not_null(strstr(text, "nothing is recorded"), "%s", text);
}

Test(cli_client_record, refuses_wrong_options_and_what_the_library_refuses)
{
    cr_expect_eq(run(file_flag, (char[]){"--segment=999ms"}), CLIENT_TOOL_CONFIG);
    cr_expect_eq(run(file_flag, (char[]){"--segment=soon"}), CLIENT_TOOL_CONFIG);
    cr_expect_eq(run((char[]){"--file="}, NULL), CLIENT_TOOL_CONFIG);
    fake_create_error = "no";
    cr_expect_eq(run(file_flag, NULL), CLIENT_TOOL_CONFIG);
}
