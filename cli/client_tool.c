#include "cli/client_tool.h"

#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "base/bytes.h"
#include "base/log.h"
#include "cli/option_tables.h"
#include "wire/address/url.h"

/* Options. */

static bool is_direct(const char *session)
{
    return strncasecmp(session, "ws://", 5) == 0 || strncasecmp(session, "wss://", 6) == 0;
}

/* Scripts match the wording and the stream. */
static bool options_are_complete(const struct option_table *table,
                                 const struct client_tool_options *options)
{
    unsigned missing = options_report_missing(table, options, "", " not set", stdout);

    if (text_is_empty(options->token) && text_is_empty(options->token_file) &&
        (missing > 0 || !is_direct(options->session))) {
        printf("RELAY_CLIENT_TOKEN not set\n");
        missing++;
    }
    return missing == 0;
}

static void complain(const struct option_table *table, enum options_result result,
                     const char *error)
{
    /* Scripts look for a wrong RELAY_CLIENT_MODE on the stream that says what is missing. */
    if (result == OPTIONS_REFUSED && table == &client_file_option_table) {
        printf("%s\n", error);
    } else {
        fprintf(stderr, "%s: %s\n", table->command, error);
    }
}

bool client_tool_options_read(const struct option_table *table, int argc, char **argv, void *values,
                              int *ret_status)
{
    char error[OPTIONS_ERROR_SIZE];

    enum options_result result = options_parse(table, argc, argv, values, error);

    switch (result) {
    case OPTIONS_OK:
        if (options_are_complete(table, values)) {
            return true;
        }
        *ret_status = CLIENT_TOOL_CONFIG;
        return false;
    case OPTIONS_HELP:
        *ret_status = CLIENT_TOOL_OK;
        return false;
    case OPTIONS_ERROR:
    case OPTIONS_REFUSED:
        complain(table, result, error);
        *ret_status = CLIENT_TOOL_CONFIG;
        return false;
    }
    return false;
}

struct relay_client_options client_tool_client_options(const struct client_tool_options *options)
{
    return (struct relay_client_options){
        .location = options->session,
        .token = options->token,
        .token_file = options->token_file,
        .ca_file = options->ca_file,
        .insecure = options->insecure,
        .insecure_name = "--insecure",
    };
}

void client_tool_warn_insecure(bool insecure)
{
    if (insecure) {
        log_warn("TLS certificate verification is disabled (--insecure): the server's identity is "
                 "not checked");
    }
}

bool client_tool_allow_plain(const char *url, bool insecure)
{
    struct url parsed;

    if (insecure || url_parse(url, &parsed) != URL_OK || parsed.tls || url_is_loopback(&parsed)) {
        return false;
    }
    log_warn("the connection is not encrypted: others can read and change the token and the "
             "messages; use https://");
    return true;
}

/* Log lines. */

static enum log_level event_level(const struct relay_client_event *event)
{
    if (event->state == RELAY_CLIENT_FAILED || event->fault == RELAY_CLIENT_FAULT_REFUSED) {
        return LOG_LEVEL_ERROR;
    }
    if (event->fault != RELAY_CLIENT_FAULT_NONE) {
        return LOG_LEVEL_WARN;
    }
    return event->state == RELAY_CLIENT_CONNECTED ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG;
}

void client_tool_log_event(const struct relay_client_event *event)
{
    enum log_level level = event_level(event);

    if (event->fault == RELAY_CLIENT_FAULT_NONE) {
        LOG_EVENT(level, event->message, LOG_TEXT("state", relay_client_state_text(event->state)));
        return;
    }
    LOG_EVENT(level, event->message, LOG_TEXT("state", relay_client_state_text(event->state)),
              LOG_TEXT("fault", relay_client_fault_text(event->fault)),
              LOG_INT("http_status", event->http_status), LOG_INT("close_code", event->close_code),
              LOG_INT("attempt", event->attempt), LOG_INT("retry_in_ms", event->retry_in_ms));
}

void client_tool_log_notice(const struct relay_client_notice *notice)
{
    const char *fault = relay_client_renewal_fault(notice->renewal);

    if (notice->kind == RELAY_CLIENT_NOTICE_EXPIRY && fault != NULL) {
        log_warn("the relay did not take the new token", LOG_TEXT("reason", fault));
    }
}

/* Latency. */

enum { FIELDS_OF_HOP = 2, FIELDS_MAX = 2 + FIELDS_OF_HOP * RELAY_CLIENT_HOPS };

static const struct {
    const char *p50, *p99;
} hop_names[RELAY_CLIENT_HOPS] = {
    [RELAY_CLIENT_HOP_TO_RELAY] = {"to_relay_p50_us", "to_relay_p99_us"},
    [RELAY_CLIENT_HOP_IN_RELAY] = {"in_relay_p50_us", "in_relay_p99_us"},
    [RELAY_CLIENT_HOP_TO_VIEWER] = {"to_viewer_p50_us", "to_viewer_p99_us"},
    [RELAY_CLIENT_HOP_TOTAL] = {"total_p50_us", "total_p99_us"},
};

void client_tool_log_latency(struct relay_client *client)
{
    struct relay_client_statistics statistics;
    struct log_field fields[FIELDS_MAX];
    unsigned count = 0;

    relay_client_statistics(client, &statistics);
    fields[count++] = LOG_INT("messages", statistics.messages_received);
    fields[count++] = LOG_INT("round_trip_us", statistics.round_trip_ns / 1000);
    for (unsigned hop = 0; hop < RELAY_CLIENT_HOPS; hop++) {
        if (statistics.hops[hop].messages > 0) {
            fields[count++] = LOG_INT(hop_names[hop].p50, statistics.hops[hop].p50_us);
            fields[count++] = LOG_INT(hop_names[hop].p99, statistics.hops[hop].p99_us);
        }
    }
    if (log_enabled(LOG_LEVEL_INFO)) {
        log_write(LOG_LEVEL_INFO, "latency", fields, count);
    }
}

/* Signals. */

static sigset_t handled_signals(void)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    return set;
}

void client_tool_signals_take(void)
{
    sigset_t set = handled_signals();

    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a recording at its size limit is a failed write like others */
}

int client_tool_signal_wait(void)
{
    sigset_t set = handled_signals();
    int number = 0;

    while (sigwait(&set, &number) != 0) {
    }
    return number;
}

int client_tool_signal_wait_ms(uint64_t timeout_ms)
{
    sigset_t set = handled_signals();
    struct timespec timeout = {.tv_sec = (time_t)(timeout_ms / 1000),
                               .tv_nsec = (long)(timeout_ms % 1000 * 1000000)};
    int number = sigtimedwait(&set, NULL, &timeout);

    return number < 0 ? 0 : number;
}
