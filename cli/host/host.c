/* relay host: the experiment's side. This file has the options. */
#include <stdio.h>

#include "base/options/log_choices.h"
#include "base/options/options.h"
#include "cli/command.h"
#include "cli/host/old_names.h"
#include "cli/host/state.h"
#include "cli/option_tables.h"
#include "host/host.h"

#define OFFSET(member) .offset = offsetof(struct host_settings, member)

static const struct option_choice publish_choices[] = {
    {.name = "on-demand", .value = HOST_PUBLISH_ON_DEMAND},
    {.name = "always", .value = HOST_PUBLISH_ALWAYS},
};
static const struct option_choices publish = {.list = publish_choices,
                                              .count = ARRAY_LENGTH(publish_choices)};

static const struct option_spec specs[] = {
    {.env = "RELAY_HOST_PORT",
     .flag = "port",
     .type = OPTION_INTEGER,
     OFFSET(port),
     .default_text = "8888",
     .min = 1,
     .max = 65535,
     .help = "TCP port for cameras, local programs and rules."},
    {.env = "RELAY_HOST_BIND_ADDRESS",
     .flag = "bind-address",
     .type = OPTION_TEXT,
     OFFSET(bind_address),
     .help = "IP address to listen on; all interfaces if empty."},
    {.env = "RELAY_HOST_API",
     .flag = "api",
     .type = OPTION_TEXT,
     OFFSET(api),
     .help = "A WebSocket, ws:// or wss://, from which JSON commands are taken."},
    {.env = "RELAY_HOST_API_REMOTE",
     .flag = "api-remote",
     .type = OPTION_BOOLEAN,
     OFFSET(api_remote),
     .default_text = "false",
     .help = "Other machines may read and change rules and send commands, without any password."},
    {.env = "RELAY_HOST_RULES",
     .flag = "rules",
     .type = OPTION_TEXT,
     OFFSET(rules),
     .help = "File with a JSON list of rules, or a folder of such files (*.json); read at start "
             "and on SIGHUP."},
    {.env = "RELAY_HOST_STATE_DIR",
     .flag = "state-dir",
     .type = OPTION_TEXT,
     OFFSET(state_dir),
     .help = "Folder in which posted rules survive a restart, with their tokens, mode 0600; "
             "STATE_DIRECTORY, as systemd sets it, if empty. Neither: they are forgotten."},
    {.env = "RELAY_HOST_RECORD_DIR",
     .flag = "record-dir",
     .type = OPTION_TEXT,
     OFFSET(record_dir),
     .help = "Folder below which rules may write their files; without it the member file of rules "
             "is ignored."},
    {.env = "RELAY_HOST_QUEUE_AGE",
     .flag = "queue-age",
     .type = OPTION_DURATION,
     OFFSET(queue_age_ms),
     .default_text = "1s",
     .min = 10,
     .max = 3600000,
     .help = "Messages that wait longer for a destination or a local program, also for a "
             "connection, are dropped."},
    {.env = "RELAY_HOST_PUBLISH",
     .flag = "publish",
     .type = OPTION_CHOICE,
     OFFSET(publish),
     .default_text = "on-demand",
     .choices = &publish,
     .help =
         "on-demand: no video whose key pictures are known is sent to a relay that says that "
         "there are no viewers (relay.v1); the first viewer begins with the newest key picture."},
    {.env = "RELAY_HOST_CA_FILE",
     .flag = "ca-file",
     .type = OPTION_TEXT,
     OFFSET(ca_file),
     .help = "PEM file of certificates to trust instead of the system's store."},
    {.env = "RELAY_HOST_LOG_LEVEL",
     .flag = "log-level",
     .type = OPTION_CHOICE,
     OFFSET(log_level),
     .default_text = "warn",
     .choices = &log_level_choices,
     .help = "Lowest level that is logged."},
    {.env = "RELAY_HOST_LOG_FORMAT",
     .flag = "log-format",
     .type = OPTION_CHOICE,
     OFFSET(log_format),
     .default_text = "json",
     .choices = &log_format_choices_old,
     .help = "One JSON object for each line, or text."},
    {.env = "RELAY_HOST_LOG_FILE",
     .flag = "log-file",
     .type = OPTION_TEXT,
     OFFSET(log_file),
     .default_text = "stderr",
     .help = "stdout, stderr, or a file to append to; reopened on SIGHUP."},
    {.env = "RELAY_HOST_STATUS",
     .flag = "status",
     .type = OPTION_BOOLEAN,
     OFFSET(status),
     .default_text = "false",
     .help = "Show the feeds and destinations of the host that runs on this machine, and end."},
    {.env = "RELAY_HOST_JSON",
     .flag = "json",
     .type = OPTION_BOOLEAN,
     OFFSET(json),
     .default_text = "false",
     .help = "With RELAY_HOST_STATUS: as JSON."},
};

const struct option_table host_option_table = {
    .command = "relay host",
    .summary = "run an experiment's side: cameras and programs, connected to relays",
    .synopsis = "The experiment's side: takes video at /ts/FEED and data at /ws/FEED from this "
                "machine, and connects feeds to relays by rules.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

int command_host(int argc, char **argv)
{
    struct host_settings settings = {0};
    int status = 1;

    if (!old_names_adopt()) {
        return 1;
    }
    if (options_read(&host_option_table, argc, argv, &settings, &status)) {
        status = settings.status ? state_show(&settings) : host_run(&settings);
    }
    options_release(&host_option_table, &settings);
    return status;
}
