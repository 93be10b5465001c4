/* relay client file: writes the messages of a session to a file. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/client_line.h"
#include "cli/client_output.h"
#include "cli/client_tool.h"
#include "cli/option_tables.h"

enum { LATENCY_EVERY_MS = 10000 };

enum file_mode { FILE_MODE_TEXT, FILE_MODE_BINARY };

struct file_options {
    struct client_tool_options tool;
    int mode; /* enum file_mode */
    char *file;
    bool development;
    bool latency;
};

static const struct option_choice modes[] = {
    {.name = "text", .value = FILE_MODE_TEXT},
    {.name = "binary", .value = FILE_MODE_BINARY},
};
static const struct option_choices mode_choices = {.list = modes, .count = ARRAY_LENGTH(modes)};

static const struct option_spec specs[] = {
    CLIENT_TOOL_SPECS,
    {.env = "RELAY_CLIENT_MODE",
     .flag = "mode",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct file_options, mode),
     .default_text = "text",
     .choices = &mode_choices,
     .help = "text: one line per message, prefixed with the time, binary messages in base64. "
             "binary: only the bytes of each message."},
    {.env = "RELAY_CLIENT_FILE",
     .flag = "file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct file_options, file),
     .default_text = "",
     .help = "The file to append to; empty or - is standard output. Reopened on SIGHUP."},
    {.env = "RELAY_CLIENT_DEVELOPMENT",
     .flag = "development",
     .type = OPTION_GO_BOOLEAN,
     .offset = offsetof(struct file_options, development),
     .default_text = "false",
     .help = "Logs everything, as text on standard output, instead of JSON on standard error."},
    {.env = "RELAY_CLIENT_LATENCY",
     .flag = "latency",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct file_options, latency),
     .default_text = "false",
     .help = "Logs how long messages take to the relay, in it and to here, as p50 and p99 in "
             "microseconds: every 10 s, on SIGUSR1 and at the end. Needs a relay that speaks "
             "relay.v1."},
};

const struct option_table client_file_option_table = {
    .command = "relay client file",
    .summary = "write the messages of a session to a file",
    .synopsis =
        "Writes the messages of a session to a file. Sends nothing; reconnects indefinitely.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

struct recorder {
    struct client_output output;
    bool binary, latency;
    struct log_limit lost_limit; /* client's thread */
};

static int message_write(struct recorder *recorder, enum relay_client_type type, const void *data,
                         size_t len)
{
    char *line;
    size_t line_len;

    if (recorder->binary) {
        return client_output_write(&recorder->output, data, len);
    }
    int failed = client_line_make(clock_wall_ns(), bytes_of(data, len), type == RELAY_CLIENT_TEXT,
                                  &line, &line_len);

    if (failed == 0) {
        failed = client_output_write(&recorder->output, line, line_len);
        free(line);
    }
    return failed;
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct recorder *recorder = context;
    int failed = message_write(recorder, type, data, len);
    uint32_t suppressed;

    log_debug("message", LOG_TEXT("type", type == RELAY_CLIENT_TEXT ? "text" : "binary"),
              LOG_INT("size", len));
    if (failed != 0 && log_limit_allow(&recorder->lost_limit, clock_monotonic_ms(), &suppressed)) {
        log_error("message lost: cannot write the file", LOG_TEXT("error", strerror(-failed)),
                  LOG_INT("suppressed", suppressed));
    }
}

static void on_event(const struct relay_client_event *event, void *context)
{
    const struct recorder *recorder = context;

    client_tool_log_event(event);
    if (recorder->latency && event->state == RELAY_CLIENT_CONNECTED && !event->relay_v1) {
        log_warn("no latency is known: the relay does not speak relay.v1");
    }
}

static void on_notice(const struct relay_client_notice *notice, void *context)
{
    client_tool_log_notice(notice);
}

static void log_start(bool development)
{
    int ignored UNUSED = development ? log_open("stdout", LOG_LEVEL_TRACE, LOG_FORMAT_TEXT)
                                     : log_open("stderr", LOG_LEVEL_INFO, LOG_FORMAT_JSON);
}

static void reopen(struct recorder *recorder)
{
    int failed = client_output_reopen(&recorder->output);

    if (failed != 0) {
        log_error("cannot reopen the file; the old one stays in use",
                  LOG_TEXT("file", recorder->output.path), LOG_TEXT("error", strerror(-failed)));
    } else {
        log_info("reopening the file");
    }
}

/* 0: it is time for a line of latency. */
static int signal_wait(const struct recorder *recorder)
{
    return recorder->latency ? client_tool_signal_wait_ms(LATENCY_EVERY_MS)
                             : client_tool_signal_wait();
}

static void record_until_stopped(struct recorder *recorder, struct relay_client *client)
{
    int number;

    while ((number = signal_wait(recorder)) != SIGINT && number != SIGTERM) {
        if (number == SIGHUP) {
            reopen(recorder);
        } else if (recorder->latency) {
            client_tool_log_latency(client);
        }
    }
    log_info("stopping", LOG_TEXT("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    if (recorder->latency) {
        client_tool_log_latency(client);
    }
    client_output_cancel(&recorder->output);
    relay_client_stop(client, 0);
}

static int record(struct recorder *recorder, const struct file_options *options)
{
    struct relay_client_options client_options = client_tool_client_options(&options->tool);
    struct relay_client_callbacks callbacks = {.on_event = on_event,
                                               .on_message = on_message,
                                               .on_notice = on_notice,
                                               .context = recorder};
    char error[RELAY_CLIENT_ERROR_SIZE];

    client_options.relay_v1 = recorder->latency;
    client_options.allow_plain =
        client_tool_allow_plain(options->tool.session, client_options.insecure);
    struct relay_client *client = relay_client_create(&client_options, &callbacks, error);

    if (client == NULL) {
        printf("%s\n", error);
        return CLIENT_TOOL_CONFIG;
    }
    int failed = relay_client_start(client);

    if (failed != 0) {
        printf("cannot start: %s\n", strerror(-failed));
    } else {
        record_until_stopped(recorder, client);
    }
    relay_client_destroy(client);
    return failed == 0 ? CLIENT_TOOL_OK : CLIENT_TOOL_CONFIG;
}

static int run(const struct file_options *options)
{
    struct recorder recorder = {.binary = options->mode == FILE_MODE_BINARY,
                                .latency = options->latency};
    int failed = client_output_open(&recorder.output, options->file);

    if (failed != 0) {
        printf("cannot open RELAY_CLIENT_FILE=%s: %s\n", options->file, strerror(-failed));
        return CLIENT_TOOL_CONFIG;
    }
    log_start(options->development);
    client_tool_warn_insecure(options->tool.insecure);
    client_tool_signals_take();
    int status = record(&recorder, options);

    client_output_close(&recorder.output);
    return status;
}

int command_client_file(int argc, char **argv)
{
    struct file_options options = {0};
    int status;

    if (client_tool_options_read(&client_file_option_table, argc, argv, &options, &status)) {
        status = run(&options);
    }
    options_release(&client_file_option_table, &options);
    return status;
}
