/* The phases of an attempt: to the access API for a one-time code, then to the WebSocket. */
#include "client/connection.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "client/credential.h"
#include "client/net/access.h"

static const struct settings *settings_of(const struct connection *connection)
{
    return &connection->client->settings;
}

static void announce_dial(struct connection *connection)
{
    char authority[URL_AUTHORITY_SIZE];
    char message[URL_AUTHORITY_SIZE + 64];

    url_authority(&connection->url, authority);
    snprintf(message, sizeof message, "%s %s",
             connection->for_access ? "asking for access at" : "connecting to", authority);
    connection_announce(connection,
                        connection->for_access ? RELAY_CLIENT_ACCESSING : RELAY_CLIENT_CONNECTING,
                        message);
}

static void go_on(struct connection *connection, enum progress progress, enum phase next)
{
    switch (progress) {
    case PROGRESS_DONE:
        connection_enter(connection, next);
        break;
    case PROGRESS_WAIT:
        break;
    case PROGRESS_FAILED:
        connection_fail(connection);
        break;
    }
}

/* START: one attempt begins. */

static void attempt_note(struct connection *connection)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    client->statistics.last_retry_ns = clock_wall_ns();
    pthread_mutex_unlock(&client->mutex);
}

static enum progress access_request_make(struct connection *connection)
{
    char *token;
    enum progress progress = client_token_take(connection->client, &token, &connection->fault);

    if (progress != PROGRESS_DONE) {
        return progress;
    }
    int len = access_request_write(&connection->url, token, settings_of(connection)->user_agent,
                                   connection->request, sizeof connection->request);

    CHECK(len > 0); /* each part is bounded, and so is the sum */
    connection->request_len = (size_t)len;
    if (settings_of(connection)->relay_v1) {
        renewal_note_token(&connection->conversation.renewal, token);
    }
    credential_release(token);
    return PROGRESS_DONE;
}

static void start_on_turn(struct connection *connection)
{
    fault_clear(&connection->fault);
    connection->attempt++;
    connection->connect_timeout_ms = client_timing(connection->client).connect_timeout_ms;
    connection->deadline_ms = connection->now_ms + connection->connect_timeout_ms;
    connection->url = settings_of(connection)->location;
    connection->for_access = !connection->url.websocket;
    attempt_note(connection);
    announce_dial(connection);
    go_on(connection, connection->for_access ? access_request_make(connection) : PROGRESS_DONE,
          PHASE_DIAL);
}

const struct phase_ops phase_start = {.on_turn = start_on_turn};

/* DIAL: the way to the host. */

static void dial_on_enter(struct connection *connection)
{
    const struct settings *settings = settings_of(connection);
    struct opener_target target = {.url = &connection->url,
                                   .proxy = settings->proxy,
                                   .ca_file = settings->ca_file,
                                   .insecure = settings->insecure};

    if (opener_start(&connection->opener, &target, &connection->transport, &connection->fault) ==
        PROGRESS_FAILED) {
        connection_fail(connection);
    }
}

static void dial_on_turn(struct connection *connection)
{
    go_on(connection, opener_advance(&connection->opener, connection->now_ms, &connection->fault),
          connection->for_access ? PHASE_ACCESS : PHASE_HANDSHAKE);
}

static unsigned dial_poll_fds(const struct connection *connection, struct pollfd *fds)
{
    return opener_poll_fds(&connection->opener, fds);
}

static uint64_t dial_wake_ms(const struct connection *connection)
{
    return opener_wake_ms(&connection->opener);
}

static const char *dial_missing(const struct connection *connection)
{
    return opener_missing(&connection->opener);
}

const struct phase_ops phase_dial = {
    .on_enter = dial_on_enter,
    .on_turn = dial_on_turn,
    .poll_fds = dial_poll_fds,
    .wake_ms = dial_wake_ms,
    .missing = dial_missing,
};

/* A request and its response, for ACCESS and HANDSHAKE. */

static enum progress request_send(struct connection *connection)
{
    while (connection->request_sent < connection->request_len) {
        ssize_t sent =
            transport_write(&connection->transport, connection->request + connection->request_sent,
                            connection->request_len - connection->request_sent, &connection->fault);

        if (sent < 0) {
            return sent == -EAGAIN ? PROGRESS_WAIT : PROGRESS_FAILED;
        }
        connection->request_sent += (size_t)sent;
    }
    bytes_wipe(connection->request, sizeof connection->request);
    return PROGRESS_DONE;
}

static enum progress answer_result(struct connection *connection, enum http_answer_result result)
{
    switch (result) {
    case HTTP_ANSWER_OK:
        return PROGRESS_DONE;
    case HTTP_ANSWER_MORE:
        return PROGRESS_WAIT;
    case HTTP_ANSWER_MALFORMED:
        return fault_set(&connection->fault, RELAY_CLIENT_FAULT_HTTP,
                         connection->answer.bytes == 0 ? "the connection ended without an answer"
                                                       : "the answer is not valid HTTP");
    case HTTP_ANSWER_TOO_LARGE:
        return fault_set(&connection->fault, RELAY_CLIENT_FAULT_HTTP, "the answer is too large");
    }
    UNREACHABLE();
}

struct receive_buffer {
    uint8_t data[4096];
    struct bytes leftover; /* bytes after the response */
};

static enum progress answer_receive(struct connection *connection, struct receive_buffer *buffer)
{
    enum progress progress = PROGRESS_WAIT;

    while (progress == PROGRESS_WAIT) {
        ssize_t got = transport_read(&connection->transport, buffer->data, sizeof buffer->data,
                                     &connection->fault);
        size_t used = 0;

        if (got == -EAGAIN) {
            return PROGRESS_WAIT;
        }
        if (got < 0) {
            return PROGRESS_FAILED;
        }
        if (got == 0) {
            return answer_result(connection, http_answer_finish(&connection->answer));
        }
        struct bytes input = bytes_of(buffer->data, (size_t)got);

        progress = answer_result(connection, http_answer_feed(&connection->answer, input, &used));
        buffer->leftover = bytes_skip(input, used);
    }
    return progress;
}

static enum progress request_turn(struct connection *connection, struct receive_buffer *buffer)
{
    if (connection->request_sent < connection->request_len &&
        request_send(connection) == PROGRESS_FAILED) {
        return PROGRESS_FAILED;
    }
    return answer_receive(connection, buffer);
}

static void request_begin(struct connection *connection)
{
    connection->request_sent = 0;
    http_answer_init(&connection->answer);
}

/* ACCESS: the POST that returns the WebSocket's URL. */

static void websocket_dial_begin(struct connection *connection)
{
    transport_close(&connection->transport);
    connection->for_access = false;
    announce_dial(connection);
}

static enum progress access_judge(struct connection *connection)
{
    struct url url;
    enum progress progress = access_answer_read(&connection->answer, &url, &connection->fault);

    bytes_wipe(connection->answer.body, sizeof connection->answer.body);
    if (progress == PROGRESS_DONE && !settings_allow_plain(settings_of(connection), &url)) {
        progress = fault_set(&connection->fault, RELAY_CLIENT_FAULT_HTTP,
                             "the answer leads to an unencrypted ws:// address");
    }
    if (progress == PROGRESS_DONE) {
        connection->url = url;
    }
    bytes_wipe(&url, sizeof url);
    return progress;
}

static void access_on_turn(struct connection *connection)
{
    struct receive_buffer buffer;
    enum progress progress = request_turn(connection, &buffer);

    if (progress == PROGRESS_DONE) {
        progress = access_judge(connection);
    }
    bytes_wipe(buffer.data, sizeof buffer.data);
    if (progress == PROGRESS_DONE) {
        websocket_dial_begin(connection);
    }
    go_on(connection, progress, PHASE_DIAL);
}

static const char *access_missing(const struct connection *connection)
{
    return "answer to the access request";
}

const struct phase_ops phase_access = {
    .on_enter = request_begin,
    .on_turn = access_on_turn,
    .poll_fds = connection_poll_transport,
    .missing = access_missing,
};

/* HANDSHAKE: the WebSocket upgrade. */

static void handshake_on_enter(struct connection *connection)
{
    handshake_init(&connection->handshake,
                   settings_of(connection)->relay_v1 ? RELAY_V1_NAME : NULL);
    int len = handshake_request_write(&connection->handshake, &connection->url,
                                      settings_of(connection)->user_agent, connection->request,
                                      sizeof connection->request);

    CHECK(len > 0);
    connection->request_len = (size_t)len;
    request_begin(connection);
}

static void handshake_on_turn(struct connection *connection)
{
    struct receive_buffer buffer;
    enum progress progress = request_turn(connection, &buffer);

    if (progress == PROGRESS_DONE) {
        progress =
            handshake_answer_check(&connection->handshake, &connection->answer, &connection->fault);
    }
    if (progress == PROGRESS_DONE) {
        connection->relay_v1 = handshake_is_granted(&connection->handshake, &connection->answer);
        connection->websocket = websocket_create(buffer.leftover);
        if (connection->websocket == NULL) {
            progress = fault_set(&connection->fault, RELAY_CLIENT_FAULT_CONNECT, "no memory");
        }
    }
    go_on(connection, progress, PHASE_OPEN);
}

static const char *handshake_missing(const struct connection *connection)
{
    return "answer to the WebSocket handshake";
}

const struct phase_ops phase_handshake = {
    .on_enter = handshake_on_enter,
    .on_turn = handshake_on_turn,
    .poll_fds = connection_poll_transport,
    .missing = handshake_missing,
};
