/* relay status: shows the connections of a relay. This file has the options; status/topic.c and
 * status/access.c fetch the reports. */
#include <stdio.h>
#include <strings.h>

#include "base/bytes.h"
#include "base/options/options.h"
#include "cli/command.h"
#include "cli/option_tables.h"
#include "cli/status/access.h"
#include "cli/status/settings.h"
#include "cli/status/topic.h"

static const struct option_spec specs[] = {
    {.env = "RELAY_STATUS_SESSION",
     .flag = "session",
     .type = OPTION_TEXT,
     .offset = offsetof(struct status_settings, session),
     .help = "The access URL of the relay's topic stats, https://host/session/stats. A ws:// or "
             "wss:// URL is dialled directly, without an access request. Required, this or "
             "RELAY_STATUS_ACCESS."},
    {.env = "RELAY_STATUS_ACCESS",
     .flag = "access",
     .type = OPTION_TEXT,
     .offset = offsetof(struct status_settings, access),
     .help = "The access URL of the relay, its RELAY_AUDIENCE: uses GET /status instead, which has "
             "no rates. The token needs the scope relay:stats."},
    {.env = "RELAY_STATUS_TOKEN",
     .flag = "token",
     .type = OPTION_SECRET,
     .offset = offsetof(struct status_settings, token),
     .help = "The access token, for the topic stats with the scope read; with write too, the "
             "report comes at once. Prefer the environment or RELAY_STATUS_TOKEN_FILE: flags are "
             "visible to other users of the machine."},
    {.env = "RELAY_STATUS_TOKEN_FILE",
     .flag = "token-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct status_settings, token_file),
     .help = "File that holds the access token; read again for each access request."},
    {.env = "RELAY_STATUS_CA_FILE",
     .flag = "ca-file",
     .type = OPTION_TEXT,
     .offset = offsetof(struct status_settings, ca_file),
     .help = "PEM file of certificates to trust instead of the system's store: authorities, also "
             "intermediate ones, or the server's own certificate."},
    {.env = "RELAY_STATUS_INSECURE",
     .flag = "insecure",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct status_settings, insecure),
     .default_text = "false",
     .help = "Do not verify certificates and allow unencrypted connections to other machines: "
             "for tests only."},
    {.env = "RELAY_STATUS_JSON",
     .flag = "json",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct status_settings, json),
     .default_text = "false",
     .help = "Print each report as one line of JSON, with everything the relay sent, instead of a "
             "table."},
    {.env = "RELAY_STATUS_WATCH",
     .flag = "watch",
     .type = OPTION_BOOLEAN,
     .offset = offsetof(struct status_settings, watch),
     .default_text = "false",
     .help = "Continue with each report of the relay until stopped."},
    {.env = "RELAY_STATUS_TIMEOUT",
     .flag = "timeout",
     .type = OPTION_DURATION,
     .offset = offsetof(struct status_settings, timeout_ms),
     .default_text = "15s",
     .min = 1,
     .max = 3600000,
     .help = "How long to wait for the report before giving up with status 1; with "
             "RELAY_STATUS_WATCH this limits only the access request."},
};

const struct option_table status_option_table = {
    .command = "relay status",
    .summary = "show the connections of a relay",
    .synopsis = "Shows the connections of a relay.",
    .specs = specs,
    .specs_count = ARRAY_LENGTH(specs),
};

static bool is_direct(const char *session)
{
    return !text_is_empty(session) &&
           (strncasecmp(session, "ws://", 5) == 0 || strncasecmp(session, "wss://", 6) == 0);
}

static bool options_are_complete(const struct status_settings *options)
{
    bool session = !text_is_empty(options->session), access = !text_is_empty(options->access);
    bool token = !text_is_empty(options->token) || !text_is_empty(options->token_file);

    if (session == access) {
        fprintf(stderr, session ? "relay status: set one of RELAY_STATUS_SESSION and "
                                  "RELAY_STATUS_ACCESS, not both\n"
                                : "relay status: RELAY_STATUS_SESSION not set\n");
        return false;
    }
    if (!token && !is_direct(options->session)) {
        fprintf(stderr, "relay status: RELAY_STATUS_TOKEN not set\n");
        return false;
    }
    return true;
}

static int status_run(struct status_settings *options)
{
    if (options->insecure) {
        fprintf(stderr, "relay status: TLS certificate verification is disabled (--insecure): the "
                        "server's identity is not checked\n");
    }
    return text_is_empty(options->access) ? topic_run(options) : access_run(options);
}

int command_status(int argc, char **argv)
{
    struct status_settings options = {0};
    int status = 1;

    if (options_read(&status_option_table, argc, argv, &options, &status)) {
        status = options_are_complete(&options) ? status_run(&options) : 1;
    }
    options_release(&status_option_table, &options);
    return status;
}
