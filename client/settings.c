#include "client/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/version.h"
#include "client/credential.h"

enum defaults {
    RECONNECT_DELAY_MS = 500,
    RECONNECT_DELAY_MAX_MS = 30000,
    CONNECT_TIMEOUT_MS = 10000,
    STALL_TIMEOUT_MS = 10000,
    PING_INTERVAL_MS = 5000,
    QUEUE_BYTES_MAX = 8 * 1024 * 1024,
    QUEUE_MESSAGES_MAX = 1024,
    QUEUE_MESSAGES_LIMIT = 1024 * 1024,
    USER_AGENT_MAX = 256,
};

bool settings_allow_plain(const struct settings *settings, const struct url *url)
{
    return url->tls || settings->allow_plain || url_is_loopback(url);
}

static int location_check(struct settings *settings, const struct relay_client_options *options,
                          char *error)
{
    const char *location = options->location;

    if (location == NULL || location[0] == '\0') {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE,
                 "no location: give the access URL, https://host/session/topic");
        return -EINVAL;
    }
    enum url_result result = url_parse(location, &settings->location);

    if (result != URL_OK) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "the location is not usable: %s",
                 url_result_text(result));
        return -EINVAL;
    }
    if (!settings_allow_plain(settings, &settings->location)) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE,
                 "the location is not encrypted: use https:// (or wss://), or allow it with %s",
                 options->insecure_name != NULL ? options->insecure_name : "insecure");
        return -EINVAL;
    }
    return 0;
}

static int token_check(const struct settings *settings, const struct relay_client_options *options,
                       char *error)
{
    bool has_token = options->token != NULL && options->token[0] != '\0';
    bool has_file = options->token_file != NULL && options->token_file[0] != '\0';

    if (!settings->location.websocket && !has_token && !has_file) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE,
                 "no token: give a token or a token file for the access request");
        return -EINVAL;
    }
    if (has_token && !credential_is_valid(options->token)) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE,
                 "the token contains characters that no token has, or is too long");
        return -EINVAL;
    }
    return 0;
}

static int user_agent_check(const char *user_agent, char *error)
{
    size_t len = strlen(user_agent);

    for (size_t i = 0; i < len; i++) {
        if (user_agent[i] < ' ' || user_agent[i] > '~') {
            snprintf(error, RELAY_CLIENT_ERROR_SIZE, "the user agent is not printable ASCII");
            return -EINVAL;
        }
    }
    if (len > USER_AGENT_MAX) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "the user agent is longer than %d characters",
                 USER_AGENT_MAX);
        return -EINVAL;
    }
    return 0;
}

static uint32_t or_default(uint32_t value, uint32_t value_default)
{
    return value == 0 ? value_default : value;
}

struct settings_timing settings_timing_of(const struct relay_client_options *options)
{
    struct settings_timing timing = {
        .no_reconnect = options->no_reconnect,
        .retries_max = options->retries_max > 0 ? (uint64_t)options->retries_max : 0,
        .reconnect_delay_ms = or_default(options->reconnect_delay_ms, RECONNECT_DELAY_MS),
        .reconnect_delay_max_ms =
            or_default(options->reconnect_delay_max_ms, RECONNECT_DELAY_MAX_MS),
        .connect_timeout_ms = or_default(options->connect_timeout_ms, CONNECT_TIMEOUT_MS),
        .stall_timeout_ms = or_default(options->stall_timeout_ms, STALL_TIMEOUT_MS),
        .ping_interval_ms =
            options->no_pings ? 0 : or_default(options->ping_interval_ms, PING_INTERVAL_MS),
    };

    if (timing.reconnect_delay_ms > timing.reconnect_delay_max_ms) {
        timing.reconnect_delay_ms = timing.reconnect_delay_max_ms;
    }
    return timing;
}

struct ring_limits settings_ring_limits(enum relay_client_drop drop, uint64_t queue_bytes_max,
                                        uint64_t queue_age_max_ms, uint32_t queue_messages_max)
{
    uint32_t messages_max = or_default(queue_messages_max, QUEUE_MESSAGES_MAX);

    return (struct ring_limits){
        .bytes_max = queue_bytes_max == 0 ? QUEUE_BYTES_MAX : queue_bytes_max,
        .messages_max = messages_max < QUEUE_MESSAGES_LIMIT ? messages_max : QUEUE_MESSAGES_LIMIT,
        .age_max_ns = queue_age_max_ms > UINT64_MAX / 1000000u ? 0 : queue_age_max_ms * 1000000u,
        .drop = drop,
    };
}

static int texts_copy(struct settings *settings, const struct relay_client_options *options,
                      char *error)
{
    const char *user_agent =
        options->user_agent == NULL ? "relay-client/" RELAY_VERSION : options->user_agent;

    if (user_agent_check(user_agent, error) != 0) {
        return -EINVAL;
    }
    settings->user_agent = strdup(user_agent);
    if (options->ca_file != NULL && options->ca_file[0] != '\0') {
        settings->ca_file = strdup(options->ca_file);
    }
    if (settings->user_agent == NULL ||
        (options->ca_file != NULL && options->ca_file[0] != '\0' && settings->ca_file == NULL)) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    return 0;
}

int settings_init(struct settings *settings, const struct relay_client_options *options,
                  char error[static RELAY_CLIENT_ERROR_SIZE])
{
    memset(settings, 0, sizeof *settings);
    settings->insecure = options->insecure;
    settings->allow_plain = options->allow_plain || options->insecure;
    settings->queue_while_disconnected = options->queue_while_disconnected;
    settings->timing = settings_timing_of(options);
    settings->ring = settings_ring_limits(options->drop, options->queue_bytes_max,
                                          options->queue_age_max_ms, options->queue_messages_max);

    int failed = location_check(settings, options, error);

    if (failed == 0) {
        failed = token_check(settings, options, error);
    }
    if (failed == 0) {
        failed = texts_copy(settings, options, error);
    }
    if (failed != 0) {
        settings_deinit(settings);
    }
    return failed;
}

void settings_deinit(struct settings *settings)
{
    free(settings->ca_file);
    free(settings->user_agent);
    settings->ca_file = NULL;
    settings->user_agent = NULL;
}
