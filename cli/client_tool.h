/* Shared parts of `relay client file` and `relay client pipe`: options, log lines of the
 * connection's life, and a cancellable output. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
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

/* Blocks SIGINT, SIGTERM, SIGHUP and SIGUSR1 for this and all later threads, and ignores SIGPIPE,
 * so that client_tool_signal_wait gets them. */
void client_tool_signals_take(void);
int client_tool_signal_wait(void);

/* The same, or 0 on timeout. */
int client_tool_signal_wait_ms(uint64_t timeout_ms);

/* A file or standard output, written to by the client's thread. A write to a full pipe blocks, but
 * ends when the output is cancelled. */
struct client_output {
    const char *path; /* NULL: standard output */
    int fd;
    int cancel_fd; /* eventfd: readable once cancelled */
    bool waits;    /* not a regular file: a write may block */
    pthread_mutex_t mutex;
    atomic_bool reopen_wanted;
};

/* 0 or -errno. path NULL, empty or "-": standard output. */
MUST_USE int client_output_open(struct client_output *output, const char *path);
void client_output_close(struct client_output *output);

/* Writes everything: 0, -ECANCELED, or -errno. */
MUST_USE int client_output_write(struct client_output *output, const void *data, size_t len);

/* Reopens the path between two writes; the old file stays in use when that fails. 0 or -errno; 0
 * also during a write, which then reopens at its end. */
MUST_USE int client_output_reopen(struct client_output *output);

/* Makes current and later writes return. Any thread. */
void client_output_cancel(struct client_output *output);
