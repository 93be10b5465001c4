#include "client/settings.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/version.h"
#include "client/credential.h"
#include "wire/address/proxy.h"

enum defaults {
    RECONNECT_DELAY_MS = 500,
    RECONNECT_DELAY_MAX_MS = 30000,
    CONNECT_TIMEOUT_MS = 10000,
    STALL_TIMEOUT_MS = 10000,
    PING_INTERVAL_MS = 5000,
    QUEUE_BYTES_MAX = 8 * 1024 * 1024,
    HOLD_BYTES_MAX = 4 * 1024 * 1024,
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

    if (text_is_empty(location)) {
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

static int proxy_check(const char *text, char *error)
{
    /* Any URL that is not of this machine. */
    static const struct url elsewhere = {.host = "relay.invalid"};
    struct proxy proxy = {0};

    if (text_is_empty(text)) {
        return 0;
    }
    enum proxy_result result = proxy_take(text, &elsewhere, &proxy);

    bytes_wipe(proxy.credentials, sizeof proxy.credentials);
    if (result == PROXY_INVALID) {
        snprintf(error, RELAY_CLIENT_ERROR_SIZE,
                 "the proxy is not usable: it must be http://[user:password@]host[:port], or none");
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
        .reconnect_steadily = options->reconnect_steadily,
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

/* 0, no limit, for ages that nothing reaches. */
static uint64_t age_ns_of(uint64_t age_ms)
{
    return age_ms > UINT64_MAX / 1000000u ? 0 : age_ms * 1000000u;
}

struct inbox_limits settings_inbox_limits(uint64_t receive_queue_bytes_max,
                                          uint64_t receive_age_max_ms)
{
    return (struct inbox_limits){.bytes_max = receive_queue_bytes_max,
                                 .age_max_ns = age_ns_of(receive_age_max_ms)};
}

struct hold_limits settings_hold_limits(uint64_t hold_age_max_ns, const struct ring_limits *ring)
{
    return (struct hold_limits){
        .age_max_ns = hold_age_max_ns,
        .bytes_max = ring->bytes_max / 2 < HOLD_BYTES_MAX ? ring->bytes_max / 2 : HOLD_BYTES_MAX,
        .messages_max = ring->messages_max / 2,
    };
}

struct ring_limits settings_ring_limits(enum relay_client_drop drop, uint64_t queue_bytes_max,
                                        uint64_t queue_age_max_ms, uint32_t queue_messages_max)
{
    uint32_t messages_max = or_default(queue_messages_max, QUEUE_MESSAGES_MAX);

    return (struct ring_limits){
        .bytes_max = queue_bytes_max == 0 ? QUEUE_BYTES_MAX : queue_bytes_max,
        .messages_max = messages_max < QUEUE_MESSAGES_LIMIT ? messages_max : QUEUE_MESSAGES_LIMIT,
        .age_max_ns = age_ns_of(queue_age_max_ms),
        .drop = drop,
    };
}

/* False: no memory. NULL stays where there is no text. */
static bool text_copy(const char *text, char **ret_copy)
{
    *ret_copy = text_is_empty(text) ? NULL : strdup(text);
    return text_is_empty(text) || *ret_copy != NULL;
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
    if (settings->user_agent == NULL || !text_copy(options->ca_file, &settings->ca_file) ||
        !text_copy(options->proxy, &settings->proxy)) {
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
    settings->relay_v1 = options->relay_v1;
    settings->hold_age_max_ns = age_ns_of(options->hold_age_max_ms);
    settings->timing = settings_timing_of(options);
    settings->ring = settings_ring_limits(options->drop, options->queue_bytes_max,
                                          options->queue_age_max_ms, options->queue_messages_max);
    settings->inbox =
        settings_inbox_limits(options->receive_queue_bytes_max, options->receive_age_max_ms);

    int failed = location_check(settings, options, error);

    if (failed == 0) {
        failed = token_check(settings, options, error);
    }
    if (failed == 0) {
        failed = proxy_check(options->proxy, error);
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
    if (settings->proxy != NULL) {
        bytes_wipe(settings->proxy, strlen(settings->proxy));
    }
    free(settings->proxy);
    free(settings->ca_file);
    free(settings->user_agent);
    settings->proxy = NULL;
    settings->ca_file = NULL;
    settings->user_agent = NULL;
}
