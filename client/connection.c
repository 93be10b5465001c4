#include "client/connection.h"

#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/random.h"

static void wait_on_turn(struct connection *connection)
{
    if (connection->now_ms >= connection->deadline_ms) {
        connection_enter(connection, PHASE_START);
    }
}

static uint64_t deadline_wake_ms(const struct connection *connection)
{
    return connection->deadline_ms;
}

static const struct phase_ops phase_wait = {.on_turn = wait_on_turn, .wake_ms = deadline_wake_ms};
static const struct phase_ops phase_ended = {0};

static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_START] = &phase_start,     [PHASE_DIAL] = &phase_dial,
    [PHASE_ACCESS] = &phase_access,   [PHASE_HANDSHAKE] = &phase_handshake,
    [PHASE_OPEN] = &phase_open,       [PHASE_LINGERING] = &phase_lingering,
    [PHASE_CLOSING] = &phase_closing, [PHASE_WAIT] = &phase_wait,
    [PHASE_ENDED] = &phase_ended,
};

void connection_enter(struct connection *connection, enum phase phase)
{
    connection->phase = phase;
    connection->again = true;
    if (phases[phase]->on_enter != NULL) {
        phases[phase]->on_enter(connection);
    }
}

static void announce(struct connection *connection, struct relay_client_event *event)
{
    event->previous_state = connection->state;
    event->attempt = connection->attempt;
    connection->state = event->state;
    client_enter_state(connection->client, event);
}

void connection_announce(struct connection *connection, enum relay_client_state state,
                         const char *message)
{
    struct relay_client_event event = {.state = state,
                                       .relay_v1 = state == RELAY_CLIENT_CONNECTED &&
                                                   connection->conversation.spoken,
                                       .message = message};

    announce(connection, &event);
}

/* Releases everything of the connection; the settings decide what the ring keeps. */
static void connection_drop(struct connection *connection)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    if (client->state == RELAY_CLIENT_CONNECTED) {
        /* Announced later; what is sent until then would wait for the next connection. */
        client->state = RELAY_CLIENT_WAITING;
    }
    client->connected_fd = -1;
    client->connected_at_ns = 0;
    client->begun_bytes = 0;
    client->statistics.relay_v1 = false;
    client->statistics.viewers = -1;
    preamble_unref(connection->preamble);
    connection->preamble = NULL;
    ring_rewind(&client->ring);
    if (!client->queue_while_disconnected) {
        ring_drop_all(&client->ring, RING_DISCONNECTED);
        hold_flush(&client->hold); /* those that come until the next connection will be missing */
    }
    pthread_cond_broadcast(&client->changed);
    pthread_mutex_unlock(&client->mutex);

    opener_cancel(&connection->opener);
    websocket_destroy(connection->websocket);
    connection->websocket = NULL;
    conversation_end(&connection->conversation);
    bytes_wipe(connection->request, sizeof connection->request);
    bytes_wipe(connection->url.target, sizeof connection->url.target);
}

static bool was_open(const struct connection *connection)
{
    return connection->phase == PHASE_OPEN || connection->phase == PHASE_LINGERING;
}

static const char *phase_noun(const struct connection *connection)
{
    if (was_open(connection)) {
        return "connection to ";
    }
    return connection->for_access ? "access " : "websocket ";
}

static void fault_describe(const struct connection *connection, char *message, size_t size)
{
    char authority[URL_AUTHORITY_SIZE];

    if (connection->fault.kind == RELAY_CLIENT_FAULT_TOKEN_FILE) {
        snprintf(message, size, "%s", connection->fault.text);
        return;
    }
    url_authority(&connection->url, authority);
    snprintf(message, size, "%s%s: %s", phase_noun(connection), authority, connection->fault.text);
}

static void failure_count(struct connection *connection)
{
    struct relay_client *client = connection->client;

    if (was_open(connection)) {
        if (connection->now_ms - connection->connected_ms >= BACKOFF_HEALTHY_MS) {
            backoff_reset(&connection->backoff);
            connection->attempt = 0;
        }
        return;
    }
    pthread_mutex_lock(&client->mutex);
    client->statistics.connect_failures++;
    pthread_mutex_unlock(&client->mutex);
}

static bool gives_up(const struct connection *connection, const struct settings_timing *timing)
{
    return timing->no_reconnect ||
           (timing->retries_max > 0 && connection->attempt > timing->retries_max);
}

/* A gateway in front of a relay that is down has these statuses (RFC 9110 §15.6). */
static bool is_of_gateway(int http_status)
{
    return http_status == 502 || http_status == 504;
}

static enum backoff_cause cause_of(const struct fault *fault)
{
    switch (fault->kind) {
    case RELAY_CLIENT_FAULT_RESOLVE:
    case RELAY_CLIENT_FAULT_CONNECT:
    case RELAY_CLIENT_FAULT_TIMEOUT:
        return BACKOFF_DOWN;
    case RELAY_CLIENT_FAULT_HTTP:
        return is_of_gateway(fault->http_status) ? BACKOFF_DOWN : BACKOFF_FAILED;
    case RELAY_CLIENT_FAULT_REFUSED:
        return BACKOFF_REFUSED;
    case RELAY_CLIENT_FAULT_NONE:
    case RELAY_CLIENT_FAULT_TOKEN_FILE:
    case RELAY_CLIENT_FAULT_TLS:
    case RELAY_CLIENT_FAULT_CLOSED:
    case RELAY_CLIENT_FAULT_STALLED:
        return BACKOFF_FAILED;
    }
    UNREACHABLE();
}

void connection_fail(struct connection *connection)
{
    const struct fault *fault = &connection->fault;
    char message[FAULT_TEXT_SIZE + URL_AUTHORITY_SIZE + 32];
    struct relay_client_event event = {.fault = fault->kind,
                                       .http_status = fault->http_status,
                                       .retry_after_ms = fault->retry_after_ms,
                                       .close_code = fault->close_code,
                                       .message = message};
    struct settings_timing timing = client_timing(connection->client);
    uint32_t random;

    fault_describe(connection, message, sizeof message);
    failure_count(connection);
    connection_drop(connection);
    if (fault->kind == RELAY_CLIENT_FAULT_TLS) {
        /* The next attempt reads the CA file again. Not earlier, because the session used the
         * context. */
        opener_forget_trust(&connection->opener);
    }
    if (gives_up(connection, &timing)) {
        event.state = RELAY_CLIENT_FAILED;
        announce(connection, &event);
        connection_enter(connection, PHASE_ENDED);
        return;
    }
    random_bytes(&random, sizeof random);
    backoff_set_delays(&connection->backoff, timing.reconnect_delay_ms,
                       timing.reconnect_delay_max_ms);
    backoff_set_steady(&connection->backoff, timing.reconnect_steadily);
    event.state = RELAY_CLIENT_WAITING;
    event.retry_in_ms =
        backoff_next_ms(&connection->backoff, cause_of(fault), fault->retry_after_ms, random);
    connection->deadline_ms = connection->now_ms + event.retry_in_ms;
    connection_enter(connection, PHASE_WAIT);
    announce(connection, &event);
}

unsigned connection_poll_transport(const struct connection *connection, struct pollfd *fds)
{
    fds[0] = transport_pollfd(&connection->transport);
    return 1;
}

static void check_deadline(struct connection *connection)
{
    const struct phase_ops *ops = phases[connection->phase];

    if (ops->missing != NULL && connection->now_ms >= connection->deadline_ms) {
        fault_set(&connection->fault, RELAY_CLIENT_FAULT_TIMEOUT, "no %s within %u ms",
                  ops->missing(connection), connection->connect_timeout_ms);
        connection_fail(connection);
    }
}

static int poll_timeout_ms(const struct connection *connection)
{
    const struct phase_ops *ops = phases[connection->phase];
    uint64_t wake_ms = ops->wake_ms == NULL ? UINT64_MAX : ops->wake_ms(connection);

    if (ops->missing != NULL && connection->deadline_ms < wake_ms) {
        wake_ms = connection->deadline_ms;
    }
    if (connection->again) {
        return 0;
    }
    if (wake_ms == UINT64_MAX) {
        return -1;
    }
    uint64_t wait_ms = wake_ms > connection->now_ms ? wake_ms - connection->now_ms : 0;
    uint64_t worked_ms = clock_monotonic_ms() - connection->clock.real_ms;

    wait_ms = wait_ms > worked_ms ? wait_ms - worked_ms : 0;
    if (ops->missing != NULL && wait_ms > AWAKE_CLOCK_STEP_MS) {
        wait_ms = AWAKE_CLOCK_STEP_MS;
    }
    return wait_ms > INT_MAX ? INT_MAX : (int)wait_ms;
}

static void wait_for_events(struct connection *connection)
{
    const struct phase_ops *ops = phases[connection->phase];
    struct pollfd fds[1 + CONNECTION_FDS_MAX] = {
        {.fd = connection->client->wake_fd, .events = POLLIN},
    };
    nfds_t count = 1;

    if (ops->poll_fds != NULL) {
        count += ops->poll_fds(connection, fds + 1);
    }
    int timeout_ms = poll_timeout_ms(connection);

    poll(fds, count, timeout_ms);
    connection->again = false;
    connection->now_ms = awake_clock_advance(&connection->clock, clock_monotonic_ms(),
                                             timeout_ms < 0 ? UINT64_MAX : (uint64_t)timeout_ms);
}

/* The application stops the client: with a Close when a connection is open, at once otherwise. */
static void begin_stop(struct connection *connection, uint32_t linger_ms)
{
    if (connection->phase == PHASE_CLOSING || connection->phase == PHASE_ENDED) {
        return;
    }
    if (connection->phase != PHASE_OPEN) {
        connection_enter(connection, PHASE_ENDED);
        return;
    }
    connection->deadline_ms = connection->now_ms + linger_ms;
    connection_enter(connection, PHASE_CLOSING);
}

static void turn(struct connection *connection)
{
    uint32_t linger_ms;
    bool stopping = client_wake_taken(connection->client, &linger_ms);

    if (stopping) {
        begin_stop(connection, linger_ms);
    }
    if (phases[connection->phase]->on_turn != NULL) {
        phases[connection->phase]->on_turn(connection);
    }
    check_deadline(connection);
}

static struct connection *connection_create(struct relay_client *client)
{
    struct connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        return NULL;
    }
    connection->client = client;
    connection->state = RELAY_CLIENT_IDLE;
    connection->url = client->settings.location;
    transport_init(&connection->transport);
    backoff_init(&connection->backoff, client->settings.timing.reconnect_delay_ms,
                 client->settings.timing.reconnect_delay_max_ms);
    return connection;
}

static void connection_destroy(struct connection *connection)
{
    connection_drop(connection);
    opener_deinit(&connection->opener);
    bytes_wipe(connection, sizeof *connection);
    free(connection);
}

static void ring_empty(struct relay_client *client)
{
    pthread_mutex_lock(&client->mutex);
    ring_drop_all(&client->ring, RING_DISCONNECTED);
    hold_flush(&client->hold);
    pthread_mutex_unlock(&client->mutex);
}

void connection_run(struct relay_client *client)
{
    struct connection *connection = connection_create(client);
    struct relay_client_event out_of_memory = {
        .state = RELAY_CLIENT_FAILED, .fault = RELAY_CLIENT_FAULT_CONNECT, .message = "no memory"};

    if (connection == NULL) {
        client_enter_state(client, &out_of_memory);
        return;
    }
    awake_clock_init(&connection->clock, clock_monotonic_ms());
    connection->now_ms = connection->clock.now_ms;
    connection_enter(connection, PHASE_START);
    while (connection->phase != PHASE_ENDED) {
        wait_for_events(connection);
        turn(connection);
    }
    connection_drop(connection);
    ring_empty(client);
    if (connection->state != RELAY_CLIENT_FAILED) {
        connection_announce(connection, RELAY_CLIENT_IDLE, "stopped");
    }
    connection_destroy(connection);
}
