/* relay client pipe: standard input becomes messages, messages become standard output.
 *
 * Threads: main waits for signals; the sender reads standard input and hands messages to the
 * client, waiting for room; the receiver writes standard output, so that what waits there can grow
 * old, or without a limit of age the client's own thread. The thread that ends first notifies main
 * by SIGUSR1. */
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/options/log_choices.h"
#include "cli/client_output.h"
#include "cli/client_tool.h"
#include "cli/option_tables.h"

enum pipe_limits {
    LINE_BYTES_MAX = 10 * 1024 * 1024, /* the largest message a relay takes */
    READ_SIZE = 64 * 1024,
    RECEIVED_BYTES_MAX = 8 * 1024 * 1024, /* that wait for standard output, with a limit of age */
    RECEIVE_WAIT_MS = 1000,
    AGE_MS_MAX = 24 * 3600 * 1000,
    CLOSE_LINGER_MS = 1000, /* for the relay's Close, which confirms that it received everything */
};

struct pipe_options {
    struct client_tool_options tool;
    bool binary;
    int64_t chunk;
    bool no_receive;
    bool no_send;
    int64_t linger_ms;
    bool keep;
    int64_t max_age_ms;      /* of received messages; 0: no limit */
    int64_t send_max_age_ms; /* 0: no limit */
    int64_t retries;
    int log_level; /* enum log_level */
};

static const struct option_spec specs[] = {
    CLIENT_TOOL_SPECS,
    {.env = "RELAY_CLIENT_BINARY",
     .flag = "binary",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct pipe_options, binary),
     .default_text = "false",
     .help = "Send input as binary messages instead of lines as text messages, and write received "
             "messages without adding newlines."},
    {.env = "RELAY_CLIENT_CHUNK",
     .flag = "chunk",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct pipe_options, chunk),
     .default_text = "65536",
     .min = 1,
     .max = LINE_BYTES_MAX,
     .help = "The largest binary message, in bytes; each read of up to this size is one message."},
    {.env = "RELAY_CLIENT_NO_RECEIVE",
     .flag = "no-receive",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct pipe_options, no_receive),
     .default_text = "false",
     .help = "Discard received messages."},
    {.env = "RELAY_CLIENT_NO_SEND",
     .flag = "no-send",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct pipe_options, no_send),
     .default_text = "false",
     .help = "Do not read standard input; receive until stopped."},
    {.env = "RELAY_CLIENT_LINGER",
     .flag = "linger",
     .type = OPTION_DURATION,
     .offset = offsetof(struct pipe_options, linger_ms),
     .default_text = "0s",
     .min = 0,
     .max = INT64_C(365) * 24 * 3600 * 1000,
     .help = "How long to go on receiving after the end of standard input."},
    {.env = "RELAY_CLIENT_KEEP",
     .flag = "keep",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct pipe_options, keep),
     .default_text = "false",
     .help = "Go on receiving after the end of standard input until stopped."},
    {.env = "RELAY_CLIENT_MAX_AGE",
     .flag = "max-age",
     .type = OPTION_DURATION,
     .offset = offsetof(struct pipe_options, max_age_ms),
     .default_text = "5s",
     .min = 0,
     .max = AGE_MS_MAX,
     .help =
         "Drop received messages that standard output did not take for so long, so that no late "
         "command reaches a device; 0s: drop none."},
    {.env = "RELAY_CLIENT_SEND_MAX_AGE",
     .flag = "send-max-age",
     .type = OPTION_DURATION,
     .offset = offsetof(struct pipe_options, send_max_age_ms),
     .default_text = "0s",
     .min = 0,
     .max = AGE_MS_MAX,
     .help = "Drop messages that could not be sent for so long, such as commands during an outage; "
             "0s: drop none, standard input waits."},
    {.env = "RELAY_CLIENT_RETRIES",
     .flag = "retries",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct pipe_options, retries),
     .default_text = "-1",
     .min = -1,
     .max = 1000000,
     .help = "How often to retry before giving up with exit status 2; -1: without limit."},
    {.env = "RELAY_CLIENT_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct pipe_options, log_level),
     .default_text = "warn",
     .choices = &log_level_choices,
     .help = "What to log on standard error: lines of this level and of more severe ones."},
};

const struct option_table client_pipe_option_table = {
    .command = "relay client pipe",
    .summary = "lines become messages of a session, messages become lines",
    .synopsis = "Lines of standard input become text messages of a session (those that are not "
                "UTF-8, binary ones), its messages become lines of standard output. Exits when "
                "standard input has ended and everything is sent.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

struct pipe_tool {
    const struct pipe_options *options;
    struct relay_client *client;
    struct client_output output;
    pthread_t main_thread;
    int cancel_fd;         /* eventfd: readable when the sender must stop reading */
    bool warned_of_binary; /* the sender's */

    /* Each is set once, before main is notified. */
    atomic_bool sender_done; /* standard input has ended and everything is in the kernel */
    atomic_bool gave_up;
    atomic_bool io_failed;
};

static void tell_main(struct pipe_tool *tool, atomic_bool *what)
{
    atomic_store(what, true);
    pthread_kill(tool->main_thread, SIGUSR1);
}

/* Receiving, on the client's thread. */

static void output_failed(struct pipe_tool *tool, int error)
{
    if (error == -ECANCELED || atomic_load(&tool->io_failed)) {
        return;
    }
    log_error("cannot write standard output", LOG_TEXT("error", strerror(-error)));
    tell_main(tool, &tool->io_failed);
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct pipe_tool *tool = context;
    int failed = client_output_write(&tool->output, data, len);

    if (failed == 0 && type == RELAY_CLIENT_TEXT && !tool->options->binary) {
        failed = client_output_write(&tool->output, "\n", 1);
    }
    if (failed != 0) {
        output_failed(tool, failed);
    }
}

/* The receiver's thread. */
static void *receiver_run(void *context)
{
    struct pipe_tool *tool = context;
    struct relay_client_message *message;
    int failed;

    do {
        failed = relay_client_receive(tool->client, RECEIVE_WAIT_MS, &message);
        if (failed == 0) {
            on_message(message->type, message->data, message->len, tool);
            relay_client_message_destroy(message);
        }
    } while (failed == 0 || failed == -ETIMEDOUT);
    return NULL;
}

static bool receives_by_itself(const struct pipe_options *options)
{
    return options->max_age_ms > 0 && !options->no_receive;
}

static void on_event(const struct relay_client_event *event, void *context)
{
    struct pipe_tool *tool = context;

    client_tool_log_event(event);
    if (event->state == RELAY_CLIENT_FAILED) {
        tell_main(tool, &tool->gave_up);
    }
}

/* Sending, on the sender's thread. */

/* Logged once: a file in another encoding has many such lines. */
static void warn_of_binary(struct pipe_tool *tool)
{
    if (!tool->warned_of_binary) {
        tool->warned_of_binary = true;
        log_warn("a line is not UTF-8: such lines are sent as binary messages");
    }
}

/* Hands one message over, waiting for room. Text that is not UTF-8 is sent as binary. False:
 * stop. */
static bool message_send(struct pipe_tool *tool, enum relay_client_type type, const void *data,
                         size_t len)
{
    for (;;) {
        int failed = relay_client_send(tool->client, type, data, len, 0);

        if (failed == -EILSEQ) {
            warn_of_binary(tool);
            type = RELAY_CLIENT_BINARY;
            continue;
        }
        if (failed != -EAGAIN && failed != -ENOMEM) {
            return failed == 0;
        }
        failed = relay_client_wait_room(tool->client, len, false, UINT32_MAX);
        if (failed != 0 && failed != -ETIMEDOUT) {
            return false;
        }
    }
}

/* Bytes, 0 at the end of input, or -errno; -ECANCELED when told to stop. */
static ssize_t input_read(struct pipe_tool *tool, char *data, size_t size)
{
    for (;;) {
        struct pollfd fds[] = {{.fd = tool->cancel_fd, .events = POLLIN},
                               {.fd = STDIN_FILENO, .events = POLLIN}};

        if (poll(fds, ARRAY_LENGTH(fds), -1) > 0) {
            if (fds[0].revents != 0) {
                return -ECANCELED;
            }
            ssize_t got = read(STDIN_FILENO, data, size);

            if (got >= 0 || (errno != EINTR && errno != EAGAIN)) {
                return got < 0 ? -errno : got;
            }
        }
    }
}

/* A line that is not complete yet. */
struct line {
    char *data;
    size_t len;
    size_t size;
};

/* 0, -ENOMEM or -EMSGSIZE. */
static int line_append(struct line *line, struct bytes part)
{
    if (part.len > LINE_BYTES_MAX - line->len) {
        return -EMSGSIZE;
    }
    if (line->len + part.len > line->size) {
        size_t size = (line->len + part.len) * 2;
        char *data = realloc(line->data, size);

        if (data == NULL) {
            return -ENOMEM;
        }
        line->data = data;
        line->size = size;
    }
    if (part.len > 0) {
        memcpy(line->data + line->len, part.data, part.len);
    }
    line->len += part.len;
    return 0;
}

static int line_send(struct pipe_tool *tool, struct line *line)
{
    bool sent =
        message_send(tool, RELAY_CLIENT_TEXT, line->data == NULL ? "" : line->data, line->len);

    line->len = 0;
    return sent ? 0 : -ECANCELED;
}

static int lines_take(struct pipe_tool *tool, struct line *line, struct bytes input)
{
    while (input.len > 0) {
        size_t end = bytes_find(input, '\n');
        int failed = line_append(line, bytes_of(input.data, end));

        if (failed == 0 && end < input.len) {
            failed = line_send(tool, line);
        }
        if (failed != 0) {
            return failed;
        }
        input = bytes_skip(input, end + 1);
    }
    return 0;
}

/* 0 at the end of input, or -errno. */
static int lines_send(struct pipe_tool *tool, char *buffer)
{
    struct line line = {0};
    int failed = 0;
    ssize_t got;

    while (failed == 0 && (got = input_read(tool, buffer, READ_SIZE)) != 0) {
        failed = got < 0 ? (int)got : lines_take(tool, &line, bytes_of(buffer, (size_t)got));
    }
    if (failed == 0 && line.len > 0) {
        failed = line_send(tool, &line); /* the last line may lack its newline */
    }
    free(line.data);
    return failed;
}

static int chunks_send(struct pipe_tool *tool, char *buffer, size_t size)
{
    ssize_t got;

    while ((got = input_read(tool, buffer, size)) > 0) {
        if (!message_send(tool, RELAY_CLIENT_BINARY, buffer, (size_t)got)) {
            return -ECANCELED;
        }
    }
    return (int)got;
}

static int input_send(struct pipe_tool *tool)
{
    size_t size = tool->options->binary ? (size_t)tool->options->chunk : READ_SIZE;
    char *buffer = malloc(size);

    if (buffer == NULL) {
        return -ENOMEM;
    }
    int failed = tool->options->binary ? chunks_send(tool, buffer, size) : lines_send(tool, buffer);

    free(buffer);
    return failed;
}

static int drain(struct pipe_tool *tool)
{
    int failed;

    do {
        failed = relay_client_drain(tool->client, UINT32_MAX);
    } while (failed == -ETIMEDOUT);
    return failed;
}

static void *sender_run(void *context)
{
    struct pipe_tool *tool = context;
    int failed = input_send(tool);

    if (failed != 0 && failed != -ECANCELED) {
        log_error(failed == -EMSGSIZE ? "a line is longer than 10 MiB"
                                      : "cannot read standard input",
                  LOG_TEXT("error", strerror(-failed)));
    }
    /* Messages accepted before an input fault are still sent. */
    if (failed != -ECANCELED && drain(tool) == 0) {
        tell_main(tool, failed == 0 ? &tool->sender_done : &tool->io_failed);
    }
    return NULL;
}

/* Life, on the main thread. */

/* True when it is time to end, by a signal or a notification of the other threads. */
static bool is_over(struct pipe_tool *tool, int signal_number)
{
    return signal_number == SIGINT || signal_number == SIGTERM || signal_number == SIGHUP ||
           atomic_load(&tool->gave_up) || atomic_load(&tool->io_failed);
}

static void linger(struct pipe_tool *tool)
{
    const struct pipe_options *options = tool->options;

    while (options->keep && !is_over(tool, client_tool_signal_wait())) {
    }
    if (!options->keep && options->linger_ms > 0) {
        client_tool_signal_wait_ms((uint64_t)options->linger_ms);
    }
}

static void wait_for_end(struct pipe_tool *tool)
{
    for (;;) {
        int number = client_tool_signal_wait();

        if (is_over(tool, number)) {
            return;
        }
        if (atomic_load(&tool->sender_done)) {
            linger(tool);
            return;
        }
    }
}

static void sender_cancel(struct pipe_tool *tool)
{
    uint64_t one = 1;
    ssize_t ignored UNUSED = write(tool->cancel_fd, &one, sizeof one);

    relay_client_cancel_waits(tool->client, true);
}

static int exit_status(struct pipe_tool *tool)
{
    struct relay_client_statistics statistics;

    if (atomic_load(&tool->gave_up)) {
        return CLIENT_TOOL_GAVE_UP;
    }
    relay_client_statistics(tool->client, &statistics);
    if (statistics.drops_disconnected > 0) {
        log_error("stopped before everything was sent",
                  LOG_INT("messages_unsent", statistics.drops_disconnected));
        return CLIENT_TOOL_UNSENT;
    }
    return atomic_load(&tool->io_failed) ? CLIENT_TOOL_IO : CLIENT_TOOL_OK;
}

static int exchange(struct pipe_tool *tool)
{
    pthread_t sender, receiver;
    bool sends = !tool->options->no_send, receives = receives_by_itself(tool->options);
    int failed = relay_client_start(tool->client);

    if (failed == 0 && receives) {
        failed = -pthread_create(&receiver, NULL, receiver_run, tool);
    }
    if (failed == 0 && sends) {
        failed = -pthread_create(&sender, NULL, sender_run, tool);
    }
    if (failed != 0) {
        fprintf(stderr, "relay client pipe: cannot start: %s\n", strerror(-failed));
        return CLIENT_TOOL_CONFIG;
    }
    wait_for_end(tool);
    sender_cancel(tool);
    client_output_cancel(&tool->output);
    if (sends) {
        pthread_join(sender, NULL);
    }
    if (receives) {
        pthread_join(receiver, NULL);
    }
    relay_client_stop(tool->client, CLOSE_LINGER_MS);
    return exit_status(tool);
}

static struct relay_client *client_create(struct pipe_tool *tool)
{
    const struct pipe_options *options = tool->options;
    struct relay_client_options client_options = client_tool_client_options(&options->tool);
    struct relay_client_callbacks callbacks = {.on_event = on_event,
                                               .on_message =
                                                   options->no_receive ? NULL : on_message,
                                               .context = tool};
    char error[RELAY_CLIENT_ERROR_SIZE];

    client_options.queue_while_disconnected = true;
    client_options.queue_age_max_ms = (uint64_t)options->send_max_age_ms;
    if (receives_by_itself(options)) {
        client_options.receive_queue_bytes_max = RECEIVED_BYTES_MAX;
        client_options.receive_age_max_ms = (uint64_t)options->max_age_ms;
    }
    client_options.no_reconnect = options->retries == 0;
    client_options.retries_max = options->retries > 0 ? (int)options->retries : 0;
    struct relay_client *client = relay_client_create(&client_options, &callbacks, error);

    if (client == NULL) {
        fprintf(stderr, "relay client pipe: %s\n", error);
    }
    return client;
}

static int run_with_output(struct pipe_tool *tool)
{
    client_tool_warn_insecure(tool->options->tool.insecure);
    tool->client = client_create(tool);
    if (tool->client == NULL) {
        return CLIENT_TOOL_CONFIG;
    }
    client_tool_signals_take();
    int status = exchange(tool);

    relay_client_destroy(tool->client);
    return status;
}

static int run(const struct pipe_options *options)
{
    struct pipe_tool tool = {.options = options, .main_thread = pthread_self()};
    int failed = log_open("stderr", (enum log_level)options->log_level, LOG_FORMAT_JSON);

    if (failed == 0) {
        failed = client_output_open(&tool.output, NULL);
    }
    tool.cancel_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (failed != 0 || tool.cancel_fd < 0) {
        fprintf(stderr, "relay client pipe: cannot start: %s\n", strerror(-failed));
        return CLIENT_TOOL_CONFIG;
    }
    int status = run_with_output(&tool);

    client_output_close(&tool.output);
    close(tool.cancel_fd);
    return status;
}

int command_client_pipe(int argc, char **argv)
{
    struct pipe_options options = {0};
    int status;

    if (client_tool_options_read(&client_pipe_option_table, argc, argv, &options, &status)) {
        status = run(&options);
    }
    options_release(&client_pipe_option_table, &options);
    return status;
}
