/* relay client record: writes a topic to files that play. */
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/options/log_choices.h"
#include "cli/client_tool.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "cli/record/recording.h"

enum { SEGMENT_MS_MIN = 1000 };

struct record_options {
    struct client_tool_options tool;
    char *file;
    int64_t segment_ms;
    int log_level; /* enum log_level */
};

static const struct option_spec specs[] = {
    CLIENT_TOOL_SPECS,
    {.env = "RELAY_CLIENT_FILE",
     .flag = "file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct record_options, file),
     .required = true,
     .help = "The file to write, such as /srv/lab/%Y-%m-%d-%H%M%S.ts; the fields of strftime(3) "
             "stand for the local time at its start. It is named FILE.part until it is complete. "
             "An existing file is not overwritten: a number is added to the name."},
    {.env = "RELAY_CLIENT_SEGMENT",
     .flag = "segment",
     .type = OPTION_DURATION,
     .offset = offsetof(struct record_options, segment_ms),
     .default_text = "0s",
     .min = 0,
     .max = INT64_C(365) * 24 * 3600 * 1000,
     .help = "Begin a new file after this time, with the next key picture; at least 1s. 0s: one "
             "file."},
    {.env = "RELAY_CLIENT_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct record_options, log_level),
     .default_text = "info",
     .choices = &log_level_choices,
     .help = "What to log on standard error: lines of this level and of more severe ones."},
};

const struct option_table client_record_option_table = {
    .command = "relay client record",
    .summary = "write the video of a session to files that play",
    .synopsis = "Records the video of a session: MPEG-TS from a key picture on, repaired where "
                "messages are missing, or JPEG pictures. Sends nothing; reconnects indefinitely.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

struct recorder {
    pthread_mutex_t mutex; /* of all below, which the client's thread and main use */
    struct recording recording;
    struct log_limit lost_limit;
};

static void complain(struct recorder *recorder, int failed)
{
    uint32_t suppressed;

    if (failed != 0 && log_limit_allow(&recorder->lost_limit, clock_monotonic_ms(), &suppressed)) {
        log_error("video lost: cannot write the file", LOG_TEXT("error", strerror(-failed)),
                  LOG_INT("suppressed", suppressed));
    }
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct recorder *recorder = context;

    if (type != RELAY_CLIENT_BINARY) {
        return;
    }
    pthread_mutex_lock(&recorder->mutex);
    complain(recorder,
             recording_take(&recorder->recording, bytes_of(data, len), clock_monotonic_ms()));
    pthread_mutex_unlock(&recorder->mutex);
}

static void on_event(const struct relay_client_event *event, void *context)
{
    struct recorder *recorder = context;

    client_tool_log_event(event);
    if (event->state == RELAY_CLIENT_CONNECTED) {
        pthread_mutex_lock(&recorder->mutex);
        recording_gap(&recorder->recording);
        pthread_mutex_unlock(&recorder->mutex);
    }
}

static void file_close(struct recorder *recorder)
{
    pthread_mutex_lock(&recorder->mutex);
    int failed = recording_close_file(&recorder->recording);

    pthread_mutex_unlock(&recorder->mutex);
    if (failed != 0) {
        log_error("cannot complete the file", LOG_TEXT("file", recorder->recording.segment.part),
                  LOG_TEXT("error", strerror(-failed)));
    }
}

static void record_until_stopped(struct recorder *recorder, struct relay_client *client)
{
    int number;

    while ((number = client_tool_signal_wait()) == SIGHUP || number == SIGUSR1) {
        if (number == SIGHUP) {
            file_close(recorder);
        }
    }
    log_info("stopping", LOG_TEXT("signal", number == SIGINT ? "SIGINT" : "SIGTERM"));
    relay_client_stop(client, 0);
}

static int record(struct recorder *recorder, const struct record_options *options)
{
    struct relay_client_options client_options = client_tool_client_options(&options->tool);
    struct relay_client_callbacks callbacks = {
        .on_event = on_event, .on_message = on_message, .context = recorder};
    char error[RELAY_CLIENT_ERROR_SIZE];
    struct relay_client *client = relay_client_create(&client_options, &callbacks, error);

    if (client == NULL) {
        fprintf(stderr, "%s\n", error);
        return CLIENT_TOOL_CONFIG;
    }
    int failed = relay_client_start(client);

    if (failed != 0) {
        fprintf(stderr, "cannot start: %s\n", strerror(-failed));
    } else {
        record_until_stopped(recorder, client);
    }
    relay_client_destroy(client);
    return failed == 0 ? CLIENT_TOOL_OK : CLIENT_TOOL_CONFIG;
}

static int run(const struct record_options *options)
{
    static struct recorder recorder;
    int ignored UNUSED = log_open("stderr", (enum log_level)options->log_level, LOG_FORMAT_TEXT);

    recorder = (struct recorder){.mutex = PTHREAD_MUTEX_INITIALIZER};
    recording_init(&recorder.recording, options->file, (uint64_t)options->segment_ms);
    client_tool_warn_insecure(options->tool.insecure);
    client_tool_signals_take();
    int status = record(&recorder, options);

    file_close(&recorder);
    if (recorder.recording.files == 0) {
        log_warn("nothing is recorded: no key picture came");
    }
    return status;
}

int command_client_record(int argc, char **argv)
{
    struct record_options options = {0};
    int status;

    if (client_tool_options_read(&client_record_option_table, argc, argv, &options, &status)) {
        if (options.segment_ms > 0 && options.segment_ms < SEGMENT_MS_MIN) {
            fprintf(stderr,
                    "relay client record: RELAY_CLIENT_SEGMENT must be 0s or at least 1s\n");
            status = CLIENT_TOOL_CONFIG;
        } else {
            status = run(&options);
        }
    }
    options_release(&client_record_option_table, &options);
    return status;
}
