/* Goal: relay client pipe turns lines or blocks of standard input into messages and back, loses
 * nothing without saying so, and its exit status tells how it ended. Method: a fake client library;
 * standard input is a pipe or a file of the test's. */
#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "cli/client_tool.h"
#include "cli/option_tables.h"
#include "tests/unit/cli/fake_client.h"

enum { LINE_MAX = 10 * 1024 * 1024 };

static int refusals; /* sends that find no room */
static unsigned waits, drains;
static atomic_bool cancelled;
static int drain_result;
static int input_fd; /* the other end of standard input */

/* The sender's thread. */

int relay_client_send(struct relay_client *client, enum relay_client_type type, const void *data,
                      size_t len, unsigned flags)
{
    cr_expect(client->running);
    if (type == RELAY_CLIENT_TEXT && memchr(data, 0xff, len) != NULL) {
        return -EILSEQ;
    }
    if (refusals > 0) {
        refusals--;
        return -EAGAIN;
    }
    if (len < 64) {
        fake_keep(client, type, data, len);
    }
    return 0;
}

int relay_client_wait_room(struct relay_client *client, size_t len, bool while_connected,
                           uint32_t timeout_ms)
{
    waits++;
    return atomic_load(&cancelled) ? -ECANCELED : -ETIMEDOUT;
}

int relay_client_drain(struct relay_client *client, uint32_t timeout_ms)
{
    drains++;
    return drain_result;
}

void relay_client_cancel_waits(struct relay_client *client, bool value)
{
    atomic_store(&cancelled, value);
}

/* The receiver's thread. */

static const char *received; /* the next message; NULL: none */
static bool ends_then;

int relay_client_receive(struct relay_client *client, uint32_t timeout_ms,
                         struct relay_client_message **ret_message)
{
    if (received == NULL) {
        if (ends_then) {
            kill(getpid(), SIGTERM); /* what came is written, and the test has what it wants */
        }
        poll(NULL, 0, 1);
        return atomic_load(&cancelled) ? -ECANCELED : -ETIMEDOUT;
    }
    *ret_message = calloc(1, sizeof **ret_message);
    **ret_message = (struct relay_client_message){
        .type = RELAY_CLIENT_TEXT, .data = strdup(received), .len = strlen(received)};
    received = NULL;
    ends_then = true;
    return 0;
}

void relay_client_message_destroy(struct relay_client_message *message)
{
    free(message->data);
    free(message);
}

static void start(void)
{
    int fds[2];

    for (size_t i = 0; i < client_pipe_option_table.specs_count; i++) {
        unsetenv(client_pipe_option_table.specs[i].env);
    }
    cr_redirect_stdout();
    cr_redirect_stderr();
    cr_assert_eq(pipe(fds), 0);
    cr_assert_geq(dup2(fds[0], STDIN_FILENO), 0);
    close(fds[0]);
    input_fd = fds[1];
}

TestSuite(cli_client_pipe, .init = start);

static int run(char *flag_1, char *flag_2)
{
    char *argv[] = {(char[]){"pipe"}, (char[]){"--session=ws://127.0.0.1/t"}, flag_1, flag_2, NULL};
    int status = command_client_pipe(flag_1 == NULL ? 2 : flag_2 == NULL ? 3 : 4, argv);

    fflush(stdout);
    fflush(stderr);
    return status;
}

/* All of the input, which then ends. */
static void input(const char *data, size_t len)
{
    cr_assert_eq(write(input_fd, data, len), (ssize_t)len);
    close(input_fd);
}

static void input_text(const char *text)
{
    input(text, strlen(text));
}

static bool is_said(const char *message)
{
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    text[len] = '\0';
    return strstr(text, message) != NULL;
}

Test(cli_client_pipe, sends_each_line_as_a_text_message)
{
    input_text("one\n\n  two \r\nthree");
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_str_eq(fake_clients[0].sent, "[one][][  two \r][three]");
    cr_expect_eq(fake_clients[0].sent_type, RELAY_CLIENT_TEXT);
    cr_expect_eq(drains, 1);
    cr_expect_eq(fake_clients[0].linger_ms, 1000, "for the relay's Close");
    cr_expect(fake_clients[0].options.queue_while_disconnected);
}

Test(cli_client_pipe, sends_nothing_for_empty_input)
{
    input_text("");
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_str_eq(fake_clients[0].sent, "");
}

Test(cli_client_pipe, sends_lines_that_are_no_text_as_binary_and_says_so_once)
{
    input_text("\xff\n\xff\xff\n");
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_str_eq(fake_clients[0].sent, "[\xff][\xff\xff]");
    cr_expect_eq(fake_clients[0].sent_type, RELAY_CLIENT_BINARY);
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stderr());

    text[len] = '\0';
    char *first = strstr(text, "a line is not UTF-8");

    cr_assert_not_null(first, "%s", text);
    cr_expect_null(strstr(first + 1, "a line is not UTF-8"));
}

Test(cli_client_pipe, sends_blocks_of_at_most_a_chunk_as_binary)
{
    input_text("one\ntwo");
    cr_expect_eq(run((char[]){"--binary"}, (char[]){"--chunk=3"}), CLIENT_TOOL_OK);
    cr_expect_str_eq(fake_clients[0].sent, "[one][\ntw][o]");
    cr_expect_eq(fake_clients[0].sent_type, RELAY_CLIENT_BINARY);
}

Test(cli_client_pipe, waits_for_room_and_sends_again)
{
    refusals = 3;
    input_text("one\n");
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(waits, 3);
    cr_expect_str_eq(fake_clients[0].sent, "[one]");
}

/* A file of one line. */
static void input_line(size_t len)
{
    char path[] = "/tmp/relay-client-pipe-test-XXXXXX";
    char *line = malloc(len + 1);
    int fd = mkstemp(path);

    cr_assert(fd >= 0 && line != NULL);
    unlink(path);
    memset(line, 'x', len);
    line[len] = '\n';
    cr_assert_eq(write(fd, line, len + 1), (ssize_t)len + 1);
    cr_assert_eq(lseek(fd, 0, SEEK_SET), 0);
    cr_assert_geq(dup2(fd, STDIN_FILENO), 0);
    free(line);
}

Test(cli_client_pipe, takes_a_line_as_long_as_a_relay_does)
{
    input_line(LINE_MAX);
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
}

Test(cli_client_pipe, refuses_a_longer_line)
{
    input_line(LINE_MAX + 1);
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_IO);
    cr_expect(is_said("a line is longer than 10 MiB"));
}

Test(cli_client_pipe, says_that_standard_input_cannot_be_read)
{
    int fd = open("/", O_RDONLY | O_DIRECTORY);

    cr_assert_geq(dup2(fd, STDIN_FILENO), 0);
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_IO);
    cr_expect(is_said("cannot read standard input"));
}

static void messages_then_end(struct relay_client *client)
{
    fake_deliver(client, RELAY_CLIENT_TEXT, "hello");
    fake_deliver(client, RELAY_CLIENT_BINARY, "\001\n");
    kill(getpid(), SIGTERM);
}

Test(cli_client_pipe, writes_messages_as_lines)
{
    fake_on_start = messages_then_end;
    cr_expect_eq(run((char[]){"--no-send"}, NULL), CLIENT_TOOL_OK);
    cr_expect_stdout_eq_str("hello\n\001\n");
}

Test(cli_client_pipe, adds_nothing_to_messages_in_binary)
{
    fake_on_start = messages_then_end;
    cr_expect_eq(run((char[]){"--no-send"}, (char[]){"--binary"}), CLIENT_TOOL_OK);
    cr_expect_stdout_eq_str("hello\001\n");
}

Test(cli_client_pipe, listens_to_nothing_when_it_is_not_to_receive)
{
    input_text("one\n");
    cr_expect_eq(run((char[]){"--no-receive"}, NULL), CLIENT_TOOL_OK);
    cr_expect_null(fake_clients[0].callbacks.on_message);
}

Test(cli_client_pipe, keeps_no_message_beyond_a_limit_of_age)
{
    received = "a command";
    cr_expect_eq(run((char[]){"--no-send"}, (char[]){"--max-age=2s"}), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].options.queue_age_max_ms, 0);
    cr_expect_eq(fake_clients[0].options.receive_age_max_ms, 2000);
    cr_expect_gt(fake_clients[0].options.receive_queue_bytes_max, 0);
    cr_expect_stdout_eq_str("a command\n");
}

Test(cli_client_pipe, lets_no_late_command_reach_a_device_unless_told)
{
    received = "a command";
    cr_expect_eq(run((char[]){"--no-send"}, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].options.receive_age_max_ms, 5000);
    cr_expect_gt(fake_clients[0].options.receive_queue_bytes_max, 0);
}

Test(cli_client_pipe, keeps_what_it_receives_for_ever_when_told)
{
    input_text("");
    cr_expect_eq(run((char[]){"--max-age=0s"}, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].options.receive_queue_bytes_max, 0);
}

Test(cli_client_pipe, drops_nothing_that_it_is_given_unless_told)
{
    input_text("");
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].options.queue_age_max_ms, 0);
}

Test(cli_client_pipe, drops_what_could_not_be_sent_for_a_time_when_told)
{
    input_text("");
    cr_expect_eq(run((char[]){"--send-max-age=2s"}, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(fake_clients[0].options.queue_age_max_ms, 2000);
}

static void giving_up(struct relay_client *client)
{
    fake_say(client, &(struct relay_client_event){.state = RELAY_CLIENT_FAILED,
                                                  .fault = RELAY_CLIENT_FAULT_CONNECT});
}

Test(cli_client_pipe, ends_with_status_2_when_retries_are_used_up)
{
    fake_on_start = giving_up;
    cr_expect_eq(run((char[]){"--retries=3"}, NULL), CLIENT_TOOL_GAVE_UP);
    cr_expect_eq(fake_clients[0].options.retries_max, 3);
    cr_expect_not(fake_clients[0].options.no_reconnect);
}

Test(cli_client_pipe, does_not_retry_when_told)
{
    fake_on_start = giving_up;
    cr_expect_eq(run((char[]){"--retries=0"}, NULL), CLIENT_TOOL_GAVE_UP);
    cr_expect(fake_clients[0].options.no_reconnect);
}

static void terminated(struct relay_client *client)
{
    kill(getpid(), SIGTERM);
}

Test(cli_client_pipe, ends_with_status_4_when_messages_were_not_sent)
{
    fake_on_start = terminated;
    fake_statistics.drops_disconnected = 2;
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_UNSENT);
    cr_expect(is_said("\"messages_unsent\":2"));
}

Test(cli_client_pipe, ends_on_a_signal_although_its_input_goes_on)
{
    fake_on_start = terminated;
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_OK);
    cr_expect_eq(drains, 0);
}

Test(cli_client_pipe, ends_when_standard_output_fails)
{
    int fd = open("/dev/full", O_WRONLY);

    cr_assert_geq(fd, 0);
    cr_assert_geq(dup2(fd, STDOUT_FILENO), 0);
    fake_on_start = messages_then_end;
    cr_expect_eq(run((char[]){"--no-send"}, NULL), CLIENT_TOOL_IO);
    cr_expect(is_said("cannot write standard output"));
}

Test(cli_client_pipe, goes_on_receiving_when_told_to_linger)
{
    input_text("one\n");
    cr_expect_eq(run((char[]){"--linger=1ms"}, NULL), CLIENT_TOOL_OK);
    cr_expect_str_eq(fake_clients[0].sent, "[one]");
}

Test(cli_client_pipe, refuses_unknown_levels)
{
    cr_expect_eq(run((char[]){"--log-level=loud"}, NULL), CLIENT_TOOL_CONFIG);
    cr_expect_stderr_eq_str("relay client pipe: RELAY_CLIENT_LOG_LEVEL must be trace, debug, info, "
                            "warn, error, fatal or panic, not loud\n");
    cr_expect_eq(fake_clients_count, 0);
}

Test(cli_client_pipe, passes_on_why_there_is_no_client)
{
    fake_create_error = "the location is invalid";
    cr_expect_eq(run(NULL, NULL), CLIENT_TOOL_CONFIG);
    cr_expect_stderr_eq_str("relay client pipe: the location is invalid\n");
}
