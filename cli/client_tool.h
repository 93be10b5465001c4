/* Shared parts of the interfaces of `relay client`: options, signals, and log lines of
 * the connection's life. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/options/options.h"
#include "client/relay_client.h"

int command_client_file(int argc, char **argv);
int command_client_pipe(int argc, char **argv);

enum client_tool_status {
    CLIENT_TOOL_OK = 0,
    CLIENT_TOOL_CONFIG = 1,  /* options or files, before connecting */
    CLIENT_TOOL_GAVE_UP = 2, /* RELAY_CLIENT_RETRIES used up */
    CLIENT_TOOL_IO = 3,      /* standard input or output failed */
    CLIENT_TOOL_UNSENT = 4,  /* stopped by a signal with accepted messages not sent */
};

/* First member of each tool's values. */
struct client_tool_options {
    char *session;
    char *token;
    char *token_file;
    char *ca_file;
    bool insecure;
};

#define CLIENT_TOOL_SPECS                                                                          \
    {.env = "RELAY_CLIENT_SESSION",                                                                \
     .flag = "session",                                                                            \
     .type = OPTION_TEXT,                                                                          \
     .offset = offsetof(struct client_tool_options, session),                                      \
     .required = true,                                                                             \
     .help = "The access URL, https://host/session/topic. A ws:// or wss:// URL is dialled "       \
             "directly, without an access request."},                                              \
        {.env = "RELAY_CLIENT_TOKEN",                                                              \
         .flag = "token",                                                                          \
         .type = OPTION_SECRET,                                                                    \
         .offset = offsetof(struct client_tool_options, token),                                    \
         .help = "The access token. Prefer the environment or RELAY_CLIENT_TOKEN_FILE: flags are " \
                 "visible to other users of the machine. Required unless RELAY_CLIENT_TOKEN_FILE " \
                 "is set."},                                                                       \
        {.env = "RELAY_CLIENT_TOKEN_FILE",                                                         \
         .flag = "token-file",                                                                     \
         .type = OPTION_TEXT,                                                                      \
         .offset = offsetof(struct client_tool_options, token_file),                               \
         .help = "File that holds the access token; read again for each access request, so a "     \
                 "token can be replaced while this runs."},                                        \
        {.env = "RELAY_CLIENT_CA_FILE",                                                            \
         .flag = "ca-file",                                                                        \
         .type = OPTION_TEXT,                                                                      \
         .offset = offsetof(struct client_tool_options, ca_file),                                  \
         .help =                                                                                   \
             "PEM file of certificates to trust instead of the system's store: authorities, also " \
             "intermediate ones, or the server's own certificate."},                               \
    {                                                                                              \
        .env = "RELAY_CLIENT_INSECURE", .flag = "insecure", .type = OPTION_BOOLEAN,                \
        .offset = offsetof(struct client_tool_options, insecure), .default_text = "false",         \
        .help = "Do not verify certificates and allow unencrypted connections to other machines: " \
                "for tests only."                                                                  \
    }

/* Parses into values, which begin with struct client_tool_options, and prints errors. False: exit
 * with *ret_status. */
MUST_USE bool client_tool_options_read(const struct option_table *table, int argc, char **argv,
                                       void *values, int *ret_status);

/* Logs a warning if nothing is verified. Call when the log is open. */
void client_tool_warn_insecure(bool insecure);

/* Allows plain http:// and ws:// to other machines, which the library refuses, because existing
 * scripts have such URLs: true, with a warning in the log. Encrypted connections are still
 * verified. */
bool client_tool_allow_plain(const char *url, bool insecure);

struct relay_client_options client_tool_client_options(const struct client_tool_options *options);

/* Logs one line: info, warn for faults, error for refusals and giving up. */
void client_tool_log_event(const struct relay_client_event *event);

/* Logs that the relay did not take a newer token. */
void client_tool_log_notice(const struct relay_client_notice *notice);

/* Logs how long messages took on each part of their way: percentiles since the start, in
 * microseconds, of a client that receives over relay.v1. Hops that nothing measured are left
 * out. */
void client_tool_log_latency(struct relay_client *client);

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR1 for this and all later threads, and ignores SIGPIPE,
 * so that client_tool_signal_wait gets them. */
void client_tool_signals_take(void);
int client_tool_signal_wait(void);

/* The same, or 0 on timeout. */
int client_tool_signal_wait_ms(uint64_t timeout_ms);
