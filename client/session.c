/* The open connection: messages both ways, pings, and the closing. */
#include "client/connection.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "wire/ws_frame.h"

enum {
    CLOSE_TRY_MS = 30, /* how long a stop without linger tries to send its Close */
    LINGER_MS = 1000,  /* how long a refused peer may take to read our Close and to close */
    LOOK_STEP_MIN_MS = 20,
    NS_PER_US = 1000,
    NS_PER_MS = 1000000,
};

/* Entering. */

static void connected_note(struct connection *connection)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    client->statistics.connects++;
    client->connected_fd = connection->transport.fd;
    client->connected_at_ns = clock_monotonic_ns();
    client->keyframe_wanted = true;
    if (client->ring.count == 0 || !client->queue_while_disconnected) {
        ring_await_random_access(&client->ring, RING_DISCONNECTED);
    }
    inbox_note_gap(&client->inbox);
    pthread_mutex_unlock(&client->mutex);
}

static void open_on_enter(struct connection *connection)
{
    struct settings_timing timing = client_timing(connection->client);
    char authority[URL_AUTHORITY_SIZE];
    char message[URL_AUTHORITY_SIZE + 32];

    bytes_wipe(connection->url.target, sizeof connection->url.target);
    connection->connected_ms = connection->now_ms;
    liveness_init(&connection->liveness, timing.stall_timeout_ms, timing.ping_interval_ms,
                  connection->now_ms);
    connection->looked_ns = clock_monotonic_ns();
    connection->arrived_ns = 0;
    connected_note(connection);
    conversation_begin(&connection->conversation, connection->client, connection->relay_v1,
                       conversation_clock_us());
    if (connection->relay_v1) {
        websocket_expect_envelopes(connection->websocket, RELAY_V1_ENVELOPE_SIZE);
    }
    url_authority(&connection->url, authority);
    snprintf(message, sizeof message, "connected to %s", authority);
    connection_announce(connection, RELAY_CLIENT_CONNECTED, message);
}

/* Receiving. */

/* How often this thread looks for data where messages have a limit of age, so that it knows how old
 * they may be after a time in which it did not run; 0: no limit. */
static uint64_t look_step_ms(struct relay_client *client)
{
    if (client->settings.inbox.bytes_max == 0) {
        return 0;
    }
    pthread_mutex_lock(&client->mutex);
    uint64_t age_max_ms = client->inbox.limits.age_max_ns / NS_PER_MS;

    pthread_mutex_unlock(&client->mutex);
    if (age_max_ms == 0) {
        return 0;
    }
    if (age_max_ms / 2 < LOOK_STEP_MIN_MS) {
        return LOOK_STEP_MIN_MS;
    }
    return age_max_ms / 2 < AWAKE_CLOCK_STEP_MS ? age_max_ms / 2 : AWAKE_CLOCK_STEP_MS;
}

/* While the process is stopped, the kernel goes on receiving: such data is not new. */
static void arrival_judge(struct connection *connection)
{
    uint64_t now_ns = clock_monotonic_ns(), step_ms = look_step_ms(connection->client);

    if (step_ms > 0 && connection->arrived_ns == 0 &&
        now_ns - connection->looked_ns > (step_ms + AWAKE_CLOCK_WORK_MS) * NS_PER_MS) {
        connection->arrived_ns = connection->looked_ns;
    }
    connection->looked_ns = now_ns;
}

/* Without memory for it, the message is lost. */
static void message_keep(struct connection *connection, const struct websocket_message *message,
                         const struct conversation_payload *payload)
{
    struct relay_client *client = connection->client;
    uint64_t now_ns = clock_monotonic_ns();
    struct inbox_message *kept =
        inbox_message_create(message->type, message->data, message->len,
                             connection->arrived_ns != 0 ? connection->arrived_ns : now_ns);

    pthread_mutex_lock(&client->mutex);
    if (payload->gap) {
        inbox_note_gap(&client->inbox);
    }
    if (kept != NULL) {
        kept->message.stamps = payload->stamps;
        inbox_put(&client->inbox, kept, now_ns);
        pthread_cond_broadcast(&client->changed);
    } else {
        inbox_note_gap(&client->inbox);
    }
    pthread_mutex_unlock(&client->mutex);
}

static void message_deliver(struct connection *connection, const struct websocket_message *message,
                            const struct conversation_payload *payload)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    client->statistics.messages_received++;
    client->statistics.bytes_received += message->len;
    if (!payload->catch_up) {
        hop_latency_take(&client->latency, &payload->stamps);
    }
    pthread_mutex_unlock(&client->mutex);
    if (client->settings.inbox.bytes_max > 0) {
        message_keep(connection, message, payload);
    } else if (client->callbacks.on_message != NULL) {
        client->callbacks.on_message(message->type, message->data, message->len,
                                     client->callbacks.context);
    }
}

/* When what is being read came, by the clock of conversations. */
static uint64_t arrived_us(const struct connection *connection)
{
    return connection->arrived_ns != 0 ? connection->arrived_ns / NS_PER_US
                                       : conversation_clock_us();
}

/* False: it is refused. */
static bool message_take(struct connection *connection, struct websocket_message *message)
{
    struct conversation_payload payload = {.gap = false};
    enum conversation_heard heard = CONVERSATION_PAYLOAD;
    const char *cause = NULL;

    if (connection->conversation.spoken) {
        heard = conversation_hear(&connection->conversation, connection->client, message,
                                  arrived_us(connection), &payload, &cause);
    }
    switch (heard) {
    case CONVERSATION_PAYLOAD:
        message_deliver(connection, message, &payload);
        return true;
    case CONVERSATION_CONTROL:
        return true;
    case CONVERSATION_BROKEN:
        websocket_refuse(connection->websocket, WS_CLOSE_PROTOCOL_ERROR, cause);
        return false;
    }
    UNREACHABLE();
}

static void pong_note(struct connection *connection)
{
    struct relay_client *client = connection->client;

    liveness_on_pong(&connection->liveness);
    pthread_mutex_lock(&client->mutex);
    client->statistics.rtt_ns = websocket_rtt_ns(connection->websocket);
    pthread_mutex_unlock(&client->mutex);
}

/* The preamble that must precede the message, if not sent yet; otherwise NULL. With the mutex
 * held. */
static const struct relay_client_slice *preamble_next(struct connection *connection,
                                                      const struct ring_message *message)
{
    if (message->preamble != connection->preamble) {
        preamble_unref(connection->preamble);
        connection->preamble = preamble_ref(message->preamble);
        connection->preamble_begun = 0;
    }
    if (connection->preamble == NULL || connection->preamble_begun == connection->preamble->count) {
        return NULL;
    }
    return &connection->preamble->messages[connection->preamble_begun++];
}

/* Drops messages that are too old, and takes the next one to send: a message of the ring, now in
 * flight, or one of its preamble. Both stay NULL when nothing is waiting. */
static void next_take(struct connection *connection, struct ring_message **ret_message,
                      const struct relay_client_slice **ret_preamble)
{
    struct relay_client *client = connection->client;
    uint64_t now_ns = clock_monotonic_ns();

    pthread_mutex_lock(&client->mutex);
    uint64_t aged_before = client->ring.dropped_messages[RING_AGE];
    const struct ring_message *next = ring_next(&client->ring, now_ns);

    if (client->ring.dropped_messages[RING_AGE] != aged_before) {
        client->keyframe_wanted = true;
        pthread_cond_broadcast(&client->changed);
    }
    if (next != NULL) {
        *ret_preamble = preamble_next(connection, next);
        *ret_message = *ret_preamble == NULL ? ring_start(&client->ring, now_ns) : NULL;
    }
    pthread_mutex_unlock(&client->mutex);
}

/* Begins a message whose envelope has room in front of its data. Returns the end of its frame. */
static uint64_t message_begin(struct connection *connection, enum relay_client_type type,
                              const void *data, size_t len, uint8_t *envelope, uint64_t sent_ns)
{
    if (!connection->conversation.spoken) {
        return websocket_start_message(connection->websocket, type, data, len);
    }
    conversation_stamp(&connection->conversation, type == RELAY_CLIENT_TEXT, sent_ns, envelope);
    return websocket_start_message(connection->websocket, RELAY_CLIENT_BINARY, envelope,
                                   RELAY_V1_ENVELOPE_SIZE + len);
}

/* Begins as many messages as the outbox takes. */
static void start_messages(struct connection *connection)
{
    while (websocket_takes_message(connection->websocket)) {
        const struct relay_client_slice *preamble = NULL;
        struct ring_message *message = NULL;
        struct bytes control = conversation_say(&connection->conversation, connection->client,
                                                conversation_clock_us());

        if (control.len > 0) {
            (void)websocket_start_message(connection->websocket, RELAY_CLIENT_BINARY, control.data,
                                          control.len);
            continue;
        }
        next_take(connection, &message, &preamble);
        if (preamble != NULL) {
            (void)message_begin(
                connection, RELAY_CLIENT_BINARY, preamble->data, preamble->len,
                preamble_envelope(connection->preamble, connection->preamble_begun - 1),
                clock_monotonic_ns());
        } else if (message != NULL) {
            /* In flight, so this thread may read its bytes and write its end. */
            message->end_offset = message_begin(connection, message->type, message->data,
                                                message->len, message->envelope, message->sent_ns);
        } else {
            return;
        }
    }
}

/* False: the connection has ended; the fault has the reason. */
static bool receive_all(struct connection *connection)
{
    websocket_turn(connection->websocket);
    arrival_judge(connection);
    for (;;) {
        struct websocket_message message;

        switch (websocket_receive(connection->websocket, &connection->transport, &message,
                                  &connection->fault)) {
        case WEBSOCKET_MESSAGE:
            arrival_judge(connection); /* a stop may have come behind the last look */
            if (!message_take(connection, &message)) {
                return false;
            }
            start_messages(connection); /* an answer to it leaves even if a fault comes next */
            break;
        case WEBSOCKET_PONG:
            pong_note(connection);
            break;
        case WEBSOCKET_WAIT:
            connection->arrived_ns = 0;
            return true;
        case WEBSOCKET_ENDED:
            return false;
        }
    }
}

/* Sending. */

static void sent_note(struct relay_client *client, const struct ring_message *message,
                      uint64_t now_ns)
{
    struct relay_client_statistics *statistics = &client->statistics;
    uint64_t latency_ns = now_ns > message->queued_ns ? now_ns - message->queued_ns : 0;

    statistics->messages_sent++;
    statistics->bytes_sent += message->len;
    statistics->random_access_sent += message->random_access ? 1 : 0;
    statistics->send_latency_last_ns = latency_ns;
    client->send_latency_sum_ns += latency_ns;
    if (latency_ns > statistics->send_latency_max_ns) {
        statistics->send_latency_max_ns = latency_ns;
    }
}

static uint64_t message_begun_bytes(const struct ring_message *message, uint64_t flushed)
{
    uint64_t left = message->end_offset - flushed;

    return left < message->len ? message->len - left : 0; /* without the frame's header */
}

/* Releases messages that the kernel has. With the mutex held. */
static void release_flushed(struct connection *connection)
{
    struct relay_client *client = connection->client;
    uint64_t flushed = websocket_flushed(connection->websocket);
    uint64_t now_ns = clock_monotonic_ns();
    struct ring_message *message;

    while ((message = ring_oldest_in_flight(&client->ring)) != NULL &&
           message->end_offset <= flushed) {
        message = ring_release(&client->ring);
        sent_note(client, message, now_ns);
        ring_message_destroy(message);
        pthread_cond_broadcast(&client->changed);
    }
    client->begun_bytes = message == NULL ? 0 : message_begun_bytes(message, flushed);
}

static enum progress send_all(struct connection *connection)
{
    struct relay_client *client = connection->client;
    enum progress progress;

    do {
        start_messages(connection);
        if (!websocket_send_waits(connection->websocket)) {
            return PROGRESS_DONE;
        }
        progress =
            websocket_send(connection->websocket, &connection->transport, &connection->fault);
        pthread_mutex_lock(&client->mutex);
        release_flushed(connection);
        pthread_mutex_unlock(&client->mutex);
    } while (progress == PROGRESS_DONE);
    return progress;
}

/* Liveness. */

static bool is_alive(struct connection *connection)
{
    struct liveness_input input = {
        .now_ms = connection->now_ms,
        .bytes_sent = connection->transport.bytes_sent,
        .bytes_unacknowledged = transport_unacknowledged(&connection->transport),
        .bytes_received = connection->transport.bytes_received,
        .send_waits = websocket_send_waits(connection->websocket),
    };
    unsigned timeout_ms = connection->liveness.stall_timeout_ms;

    switch (liveness_update(&connection->liveness, &input)) {
    case LIVENESS_ALIVE:
        return true;
    case LIVENESS_NO_PROGRESS:
        fault_set(&connection->fault, RELAY_CLIENT_FAULT_STALLED,
                  "stalled: nothing could be sent for %u ms", timeout_ms);
        return false;
    case LIVENESS_NO_PONG:
        fault_set(&connection->fault, RELAY_CLIENT_FAULT_STALLED,
                  "stalled: no answer to a ping for %u ms", timeout_ms);
        return false;
    }
    UNREACHABLE();
}

static void keyframe_ask(struct connection *connection)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    bool wanted = client->keyframe_wanted;

    client->keyframe_wanted = false;
    pthread_mutex_unlock(&client->mutex);
    if (wanted && client->callbacks.on_keyframe_wanted != NULL) {
        client->callbacks.on_keyframe_wanted(client->callbacks.context);
    }
}

static void ping_begin(struct connection *connection)
{
    if (liveness_wants_ping(&connection->liveness, connection->now_ms)) {
        websocket_ping(connection->websocket);
        liveness_on_ping_begun(&connection->liveness, connection->now_ms);
    }
}

static void ping_note(struct connection *connection)
{
    if (websocket_ping_sent(connection->websocket)) {
        liveness_on_ping_sent(&connection->liveness, connection->transport.bytes_sent);
    }
}

/* Sends the answer to the peer's Close, or the reason for ours, as far as the kernel takes it.
 * False: there is nothing more to send, or no way to. */
static bool last_words(struct connection *connection)
{
    struct fault ignored;
    enum progress progress =
        websocket_send(connection->websocket, &connection->transport, &ignored);

    if (progress == PROGRESS_DONE) {
        transport_shutdown(&connection->transport);
    }
    return progress == PROGRESS_WAIT;
}

static void end(struct connection *connection)
{
    if (websocket_has_refused(connection->websocket)) {
        connection_enter(connection, PHASE_LINGERING);
        return;
    }
    (void)last_words(connection);
    connection_fail(connection);
}

static void open_on_turn(struct connection *connection)
{
    if (!receive_all(connection)) {
        end(connection);
        return;
    }
    ping_begin(connection);
    if (send_all(connection) == PROGRESS_FAILED) {
        connection->fault.kind = RELAY_CLIENT_FAULT_CLOSED;
        connection_fail(connection);
        return;
    }
    ping_note(connection);
    if (!is_alive(connection)) {
        connection_fail(connection);
        return;
    }
    keyframe_ask(connection);
    connection->again = websocket_turn_is_over(connection->websocket);
}

static uint64_t open_wake_ms(const struct connection *connection)
{
    uint64_t wake_ms = liveness_wake_ms(&connection->liveness);
    uint64_t step_ms = look_step_ms(connection->client);
    /* Nothing can be said before the kernel takes more, which wakes us. */
    uint64_t say_ms = websocket_takes_message(connection->websocket)
                          ? conversation_wait_ms(&connection->conversation, conversation_clock_us())
                          : UINT64_MAX;
    uint64_t wait_ms = step_ms > 0 && step_ms < say_ms ? step_ms : say_ms;

    if (wait_ms == UINT64_MAX || connection->now_ms + wait_ms > wake_ms) {
        return wake_ms;
    }
    return connection->now_ms + wait_ms;
}

const struct phase_ops phase_open = {
    .on_enter = open_on_enter,
    .on_turn = open_on_turn,
    .poll_fds = connection_poll_transport,
    .wake_ms = open_wake_ms,
};

static uint64_t deadline_wake_ms(const struct connection *connection)
{
    uint64_t step_end_ms = connection->now_ms + AWAKE_CLOCK_STEP_MS;

    return connection->deadline_ms < step_end_ms ? connection->deadline_ms : step_end_ms;
}

/* LINGERING: what the peer sent is refused. Our Close is sent, and the peer's data is discarded
 * until it closes (RFC 6455 section 7.1.1): closing a socket with unread bytes resets the
 * connection, and a reset destroys data sent before it, which is the reason in our Close. */

static void lingering_on_enter(struct connection *connection)
{
    connection->deadline_ms = connection->now_ms + LINGER_MS;
    connection->last_words = true;
}

static void lingering_on_turn(struct connection *connection)
{
    websocket_turn(connection->websocket);
    connection->last_words = connection->last_words && last_words(connection);
    if (transport_discard(&connection->transport) ||
        connection->now_ms >= connection->deadline_ms) {
        connection_fail(connection);
    }
}

const struct phase_ops phase_lingering = {
    .on_enter = lingering_on_enter,
    .on_turn = lingering_on_turn,
    .poll_fds = connection_poll_transport,
    .wake_ms = deadline_wake_ms,
};

/* CLOSING: our Close is sent, and the peer's data is read until its own Close comes, for the reason
 * that LINGERING has. */

static void closing_on_enter(struct connection *connection)
{
    struct relay_client *client = connection->client;

    pthread_mutex_lock(&client->mutex);
    uint16_t code = client->close_code;

    pthread_mutex_unlock(&client->mutex);
    websocket_close(connection->websocket, code);
    if (connection->deadline_ms < connection->now_ms + CLOSE_TRY_MS) {
        connection->deadline_ms = connection->now_ms + CLOSE_TRY_MS;
    }
}

static void closing_on_turn(struct connection *connection)
{
    bool over = !receive_all(connection);
    enum progress progress =
        websocket_send(connection->websocket, &connection->transport, &connection->fault);

    pthread_mutex_lock(&connection->client->mutex);
    release_flushed(connection);
    pthread_mutex_unlock(&connection->client->mutex);
    if (over || progress == PROGRESS_FAILED || connection->now_ms >= connection->deadline_ms) {
        transport_shutdown(&connection->transport);
        connection_enter(connection, PHASE_ENDED);
        return;
    }
    connection->again = websocket_turn_is_over(connection->websocket);
}

const struct phase_ops phase_closing = {
    .on_enter = closing_on_enter,
    .on_turn = closing_on_turn,
    .poll_fds = connection_poll_transport,
    .wake_ms = deadline_wake_ms,
};
