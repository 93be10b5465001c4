/* relay monitor: sends messages to itself through a relay and acts when they stop coming back in
 * time. This file has the options; monitor/watch.c does the work. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/log.h"
#include "base/options/log_choices.h"
#include "base/options/options.h"
#include "base/options/secret_file.h"
#include "cli/client_tool.h"
#include "cli/command.h"
#include "cli/monitor/settings.h"
#include "cli/monitor/watch.h"
#include "cli/option_tables.h"

#define DURATION_MS_MAX (INT64_C(10) * 366 * 24 * 3600 * 1000)

static const struct option_spec specs[] = {
    {.env = "RELAY_MONITOR_AUDIENCE",
     .flag = "audience",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, audience),
     .required = true,
     .help = "The access URL of the relay, exactly as its RELAY_AUDIENCE."},
    {.env = "RELAY_MONITOR_SECRET",
     .flag = "secret",
     .type = OPTION_SECRET,
     .offset = offsetof(struct monitor_settings, secret),
     .help = "The secret of the relay, for the monitor's own tokens. Required, here or as "
             "RELAY_MONITOR_SECRET_FILE; flags are visible to other users of the machine."},
    {.env = "RELAY_MONITOR_SECRET_FILE",
     .flag = "secret-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, secret_file),
     .help = "File that holds the secret; read when RELAY_MONITOR_SECRET is empty."},
    {.env = "RELAY_MONITOR_TOPIC",
     .flag = "topic",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, topic),
     .default_text = "canary-st-data",
     .help = "The topic that both connections join; no other client should."},
    {.env = "RELAY_MONITOR_CA_FILE",
     .flag = "ca-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, ca_file),
     .help = "PEM file of certificates to trust instead of the system's store: authorities, also "
             "intermediate ones, or the server's own certificate."},
    {.env = "RELAY_MONITOR_INSECURE",
     .flag = "insecure",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct monitor_settings, insecure),
     .default_text = "false",
     .help = "Do not verify certificates and allow unencrypted connections to other machines: "
             "for tests only."},
    {.env = "RELAY_MONITOR_INTERVAL",
     .flag = "interval",
     .type = OPTION_DURATION,
     .offset = offsetof(struct monitor_settings, interval_ms),
     .default_text = "1s",
     .min = 1,
     .max = DURATION_MS_MAX,
     .help = "Half the time between two messages."},
    {.env = "RELAY_MONITOR_THRESHOLD",
     .flag = "threshold",
     .type = OPTION_DURATION,
     .offset = offsetof(struct monitor_settings, threshold_ms),
     .default_text = "200ms",
     .min = 0,
     .max = DURATION_MS_MAX,
     .help = "A message that takes longer through the relay is a miss; whole milliseconds, so "
             "less than 1ms is 0."},
    {.env = "RELAY_MONITOR_TRIGGER_AFTER_MISSES",
     .flag = "trigger-after-misses",
     .type = OPTION_INTEGER,
     .offset = offsetof(struct monitor_settings, trigger_after_misses),
     .default_text = "3",
     .min = 1,
     .max = 1000000,
     .help = "Consecutive misses after which the command is run."},
    {.env = "RELAY_MONITOR_NO_RETRIGGER_WITHIN",
     .flag = "no-retrigger-within",
     .type = OPTION_DURATION,
     .offset = offsetof(struct monitor_settings, no_retrigger_within_ms),
     .default_text = "60s",
     .min = 0,
     .max = DURATION_MS_MAX,
     .help = "How long to leave the relay alone after the command; also, each such period without "
             "any message, connected or not, is a miss."},
    {.env = "RELAY_MONITOR_RECONNECT_EVERY",
     .flag = "reconnect-every",
     .type = OPTION_DURATION,
     .offset = offsetof(struct monitor_settings, reconnect_every_ms),
     .default_text = "24h",
     .min = 5000,
     .max = DURATION_MS_MAX,
     .help = "Lifetime of a token; both connections are replaced shortly before it expires."},
    {.env = "RELAY_MONITOR_COMMAND",
     .flag = "command",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, command),
     .default_text = "",
     .help = "The command to run: variables are expanded, words are split at spaces, there is no "
             "shell. Empty: kill every relay serve of this machine (SIGKILL), so that its service "
             "manager restarts it, unless it responds on new connections."},
    {.env = "RELAY_MONITOR_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct monitor_settings, log_level),
     .default_text = "warn",
     .choices = &log_level_choices_old,
     .help = "Log lines of this level and of more severe ones are written."},
    {.env = "RELAY_MONITOR_LOG_FORMAT",
     .flag = "log-format",
     .type = OPTION_CHOICE,
     .offset = offsetof(struct monitor_settings, log_format),
     .default_text = "json",
     .choices = &log_format_choices_old,
     .help = "Form of the log lines."},
    {.env = "RELAY_MONITOR_LOG_FILE",
     .flag = "log-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct monitor_settings, log_file),
     .default_text = "",
     .help = "Destination of the log: a file (reopened on SIGHUP), stdout or stderr. Empty, or a "
             "file that cannot be opened: stderr."},
};

const struct option_table monitor_option_table = {
    .command = "relay monitor",
    .summary = "run a command when a relay stops responding in time",
    .synopsis = "Sends messages to itself through a relay; when they stop coming back in time, "
                "runs a command.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

/* Errors in options go to standard output in the wording that scripts match. */

static bool secret_load(struct monitor_settings *options)
{
    if (!text_is_empty(options->secret) || text_is_empty(options->secret_file)) {
        return true;
    }
    free(options->secret);
    options->secret = NULL;
    int failed = secret_file_read_one(options->secret_file, &options->secret);

    if (failed != 0) {
        fprintf(stderr, "relay monitor: cannot read RELAY_MONITOR_SECRET_FILE=%s: %s\n",
                options->secret_file, secret_file_reason(failed));
        return false;
    }
    return true;
}

static bool options_are_complete(const struct monitor_settings *options)
{
    unsigned missing =
        options_report_missing(&monitor_option_table, options, "You must set ", "", stdout);

    if (text_is_empty(options->secret)) {
        printf("You must set RELAY_MONITOR_SECRET\n");
        missing++;
    }
    return missing == 0;
}

static void log_start(const struct monitor_settings *options)
{
    int failed = log_open(options->log_file, (enum log_level)options->log_level,
                          (enum log_format)options->log_format);

    if (failed != 0) {
        log_warn("cannot open the log file, logging to stderr", LOG_TEXT("file", options->log_file),
                 LOG_TEXT("error", strerror(-failed)));
    }
    failed = log_thread_start();
    if (failed != 0) {
        log_warn("cannot start a thread for the log", LOG_TEXT("error", strerror(-failed)));
    }
    client_tool_warn_insecure(options->insecure);
}

int command_monitor(int argc, char **argv)
{
    struct monitor_settings options = {0};
    char error[OPTIONS_ERROR_SIZE] = "";
    int status = 1;

    switch (options_parse(&monitor_option_table, argc, argv, &options, error)) {
    case OPTIONS_OK:
        if (secret_load(&options) && options_are_complete(&options)) {
            log_start(&options);
            options.allow_plain = client_tool_allow_plain(options.audience, options.insecure);
            status = watch_run(&options);
            log_close();
        }
        break;
    case OPTIONS_HELP:
        status = 0;
        break;
    case OPTIONS_ERROR:
    case OPTIONS_REFUSED:
        printf("%s\n", error);
        break;
    }
    options_release(&monitor_option_table, &options);
    return status;
}
