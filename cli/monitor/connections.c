#include "cli/monitor/connections.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"

enum {
    /* A restarted relay should be noticed soon; only one client on the same machine retries. */
    RECONNECT_DELAY_MAX_MS = 5000,
};

/* Tokens. */

static bool claims_fill(struct token_claims *claims, const struct monitor_settings *settings)
{
    int64_t now_s = clock_wall_s();

    *claims = (struct token_claims){
        .booking_id = "relay-monitor",
        .prefix = "session",
        .iat_s = now_s - 1, /* so that a relay whose clock is slightly behind accepts it at once */
        .nbf_s = now_s - 1,
        .exp_s = now_s + (settings->reconnect_every_ms + 999) / 1000,
    };
    return bytes_to_text(bytes_of_text(settings->topic), claims->topic, sizeof claims->topic) ==
               0 &&
           token_claims_add_audience(claims, settings->audience) &&
           token_claims_add_scope(claims, "read") && token_claims_add_scope(claims, "write");
}

/* NULL when out of memory or something is too long; otherwise release with token_release. */
static char *token_make(const struct connections *connections)
{
    struct token_claims claims;
    char *text = NULL;

    if (!claims_fill(&claims, connections->settings) ||
        token_sign(connections->keys, &claims, &text) != TOKEN_OK) {
        return NULL;
    }
    return text;
}

static void token_release(char *text)
{
    if (text != NULL) {
        bytes_wipe(text, strlen(text));
        free(text);
    }
}

static bool token_renew(const struct connections *connections, struct relay_client *client)
{
    char *text = token_make(connections);
    bool renewed = text != NULL && relay_client_set_token(client, text) == 0;

    token_release(text);
    return renewed;
}

/* The clients' threads. */

/* The relay itself has answered. A proxy in front of a dead one says 503 too, but not when to come
 * again, as a relay does that is full. */
static bool is_refusal(const struct relay_client_event *event)
{
    return (event->http_status >= 400 && event->http_status < 500) ||
           (event->http_status == 503 && event->retry_after_ms > 0);
}

static void on_event(struct connections *connections, struct relay_client *client,
                     atomic_bool *refused, const char *name, const struct relay_client_event *event)
{
    if (event->state == RELAY_CLIENT_CONNECTED || event->fault != RELAY_CLIENT_FAULT_NONE) {
        atomic_store(refused, is_refusal(event));
    }
    if (event->fault == RELAY_CLIENT_FAULT_NONE) {
        LOG_EVENT(event->state == RELAY_CLIENT_CONNECTED ? LOG_LEVEL_INFO : LOG_LEVEL_DEBUG,
                  event->message, LOG_TEXT("connection", name),
                  LOG_TEXT("state", relay_client_state_text(event->state)));
        return;
    }
    LOG_EVENT(event->fault == RELAY_CLIENT_FAULT_REFUSED ? LOG_LEVEL_ERROR : LOG_LEVEL_WARN,
              event->message, LOG_TEXT("connection", name),
              LOG_TEXT("state", relay_client_state_text(event->state)),
              LOG_TEXT("fault", relay_client_fault_text(event->fault)),
              LOG_INT("http_status", event->http_status), LOG_INT("close_code", event->close_code),
              LOG_INT("attempt", event->attempt), LOG_INT("retry_in_ms", event->retry_in_ms));
    /* Its times are wrong if the clock has been set since. */
    if (event->fault == RELAY_CLIENT_FAULT_REFUSED && !token_renew(connections, client)) {
        log_error("cannot make a token", LOG_TEXT("connection", name));
    }
}

static void tx_on_event(const struct relay_client_event *event, void *context)
{
    struct connections *connections = context;

    on_event(connections, connections->tx, &connections->tx_refused, "tx", event);
}

static void rx_on_event(const struct relay_client_event *event, void *context)
{
    struct connections *connections = context;

    on_event(connections, connections->rx, &connections->rx_refused, "rx", event);
}

static void rx_on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    struct connections *connections = context;

    connections->on_message(type == RELAY_CLIENT_BINARY ? bytes_of(data, len) : bytes_of(NULL, 0),
                            connections->context);
}

static char *location_make(const struct monitor_settings *settings)
{
    int audience_len = (int)strlen(settings->audience);
    char *location;

    while (audience_len > 0 && settings->audience[audience_len - 1] == '/') {
        audience_len--;
    }
    return asprintf(&location, "%.*s/session/%s", audience_len, settings->audience,
                    settings->topic) < 0
               ? NULL
               : location;
}

/* Life. */

static struct relay_client *client_make(struct connections *connections,
                                        const struct relay_client_callbacks *callbacks)
{
    const struct monitor_settings *settings = connections->settings;
    char *token = token_make(connections);
    struct relay_client_options options = {
        .location = connections->location,
        .token = token,
        .ca_file = settings->ca_file,
        .insecure = settings->insecure,
        .allow_plain = settings->allow_plain,
        .user_agent = "relay-monitor/" RELAY_VERSION,
        .reconnect_delay_max_ms = RECONNECT_DELAY_MAX_MS,
    };
    char error[RELAY_CLIENT_ERROR_SIZE] = "cannot make a token: topic or audience is too long";
    struct relay_client *client =
        token == NULL ? NULL : relay_client_create(&options, callbacks, error);

    token_release(token);
    if (client == NULL) {
        fprintf(stderr, "relay monitor: %s\n", error);
    }
    return client;
}

bool connections_init(struct connections *connections, const struct monitor_settings *settings,
                      connections_on_message *on_message, void *context)
{
    *connections = (struct connections){.settings = settings,
                                        .keys = token_keys_create(settings->secret),
                                        .location = location_make(settings),
                                        .on_message = on_message,
                                        .context = context};
    const struct relay_client_callbacks tx_callbacks = {.on_event = tx_on_event,
                                                        .context = connections};
    const struct relay_client_callbacks rx_callbacks = {
        .on_event = rx_on_event, .on_message = rx_on_message, .context = connections};

    if (connections->keys == NULL || connections->location == NULL) {
        fprintf(stderr, "relay monitor: out of memory\n");
        return false;
    }
    connections->tx = client_make(connections, &tx_callbacks);
    if (connections->tx == NULL) {
        return false;
    }
    connections->rx = client_make(connections, &rx_callbacks);
    return connections->rx != NULL;
}

void connections_deinit(struct connections *connections)
{
    relay_client_destroy(connections->tx);
    relay_client_destroy(connections->rx);
    token_keys_destroy(connections->keys);
    free(connections->location);
    *connections = (struct connections){0};
}

int connections_start(struct connections *connections)
{
    int failed = relay_client_start(connections->rx);

    return failed == 0 ? relay_client_start(connections->tx) : failed;
}

void connections_stop(struct connections *connections)
{
    relay_client_stop(connections->tx, 0);
    relay_client_stop(connections->rx, 0);
}

bool connections_renew(struct connections *connections)
{
    connections_stop(connections);
    return token_renew(connections, connections->tx) && token_renew(connections, connections->rx) &&
           connections_start(connections) == 0;
}

int connections_send(struct connections *connections, struct bytes message)
{
    return relay_client_send(connections->tx, RELAY_CLIENT_BINARY, message.data, message.len, 0);
}

bool connections_are_refused(const struct connections *connections)
{
    return atomic_load(&connections->tx_refused) || atomic_load(&connections->rx_refused);
}
