/* Goal: an open connection delivers what comes, sends what waits, answers pings, and ends as the
 * fault says. Method: the phases are turned by hand over a socketpair; the test is the server. */
#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"
#include "client/connection.h"

static struct relay_client *client;
static struct connection *connection;
static int peer_fd;
static enum relay_client_state states[8];
static unsigned states_count, keyframes_wanted;
static char received[64];
static size_t received_len;

static void on_event(const struct relay_client_event *event, void *context)
{
    cr_assert_lt(states_count, 8);
    states[states_count++] = event->state;
}

static void on_message(enum relay_client_type type, const void *data, size_t len, void *context)
{
    cr_assert_leq(len, sizeof received);
    memcpy(received, data, len);
    received_len = len;
}

static void on_keyframe_wanted(void *context)
{
    keyframes_wanted++;
}

static void start_session(bool relay_v1)
{
    struct relay_client_options options = {.location = "ws://127.0.0.1/session/t?code=c0de",
                                           .no_reconnect = true};
    struct relay_client_callbacks callbacks = {
        .on_event = on_event, .on_message = on_message, .on_keyframe_wanted = on_keyframe_wanted};
    char error[RELAY_CLIENT_ERROR_SIZE];
    int fds[2];

    client = relay_client_create(&options, &callbacks, error);
    cr_assert_not_null(client, "%s", error);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    peer_fd = fds[1];
    connection = calloc(1, sizeof *connection);
    connection->client = client;
    connection->url = client->settings.location;
    connection->now_ms = clock_monotonic_ms();
    transport_init(&connection->transport);
    transport_open(&connection->transport, fds[0]);
    connection->opener.transport = &connection->transport;
    connection->websocket = websocket_create(bytes_of(NULL, 0));
    cr_assert_not_null(connection->websocket);
    connection->relay_v1 = relay_v1;
    connection_enter(connection, PHASE_OPEN);
}

static void start(void)
{
    start_session(false);
}

static void start_v1(void)
{
    start_session(true);
}

static void stop(void)
{
    conversation_end(&connection->conversation);
    websocket_destroy(connection->websocket);
    transport_close(&connection->transport);
    preamble_unref(connection->preamble);
    free(connection);
    relay_client_destroy(client);
    close(peer_fd);
}

TestSuite(session, .init = start, .fini = stop);
TestSuite(session_v1, .init = start_v1, .fini = stop);

static void say(const void *data, size_t len)
{
    cr_assert_eq(send(peer_fd, data, len, 0), (ssize_t)len);
}

#define SAY(text) say(text, sizeof(text) - 1)

/* The payload of the next short frame that the client sent, unmasked (RFC 6455 §5.2, §5.3). */
static size_t frame_take(uint8_t *ret_first, uint8_t payload[static 125])
{
    uint8_t head[6];

    if (recv(peer_fd, head, sizeof head, 0) != sizeof head) {
        return SIZE_MAX;
    }
    size_t len = head[1] & 0x7f;

    cr_assert(head[1] & 0x80, "not masked");
    cr_assert_lt(len, 126);
    if (len > 0) {
        cr_assert_eq(recv(peer_fd, payload, len, 0), (ssize_t)len);
    }
    for (size_t i = 0; i < len; i++) {
        payload[i] ^= head[2 + i % 4];
    }
    *ret_first = head[0];
    return len;
}

static void expect_frame(uint8_t first, const void *data, size_t len)
{
    uint8_t got_first = 0, payload[125];

    cr_assert_eq(frame_take(&got_first, payload), len);
    cr_expect_eq(got_first, first);
    cr_expect(memcmp(payload, data, len) == 0);
}

static void turn(void)
{
    connection->now_ms = clock_monotonic_ms();
    switch (connection->phase) {
    case PHASE_LINGERING:
        phase_lingering.on_turn(connection);
        break;
    case PHASE_CLOSING:
        phase_closing.on_turn(connection);
        break;
    default:
        phase_open.on_turn(connection);
    }
}

Test(session, opening_is_told_and_the_code_forgotten)
{
    struct relay_client_statistics statistics;

    cr_assert_eq(states_count, 1);
    cr_expect_eq(states[0], RELAY_CLIENT_CONNECTED);
    cr_expect_null(strstr(connection->url.target, "c0de"));
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.connects, 1);
    turn();
    cr_expect_eq(keyframes_wanted, 1);
    turn();
    cr_expect_eq(keyframes_wanted, 1);
}

Test(session, a_message_is_delivered_whole_and_counted)
{
    struct relay_client_statistics statistics;

    SAY("\x01\x02he");
    turn();
    cr_expect_eq(received_len, 0);
    SAY("\x80\x03llo");
    turn();
    cr_expect_eq(received_len, 5);
    cr_expect_arr_eq(received, "hello", 5);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.messages_received, 1);
    cr_expect_eq(statistics.bytes_received, 5);
}

Test(session, what_waits_is_sent_in_order_and_counted)
{
    struct relay_client_statistics statistics;

    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "one", 3, 0), 0);
    cr_assert_eq(
        relay_client_send(client, RELAY_CLIENT_BINARY, "two", 3, RELAY_CLIENT_RANDOM_ACCESS), 0);
    turn();
    expect_frame(0x81, "one", 3);
    expect_frame(0x82, "two", 3);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.messages_sent, 2);
    cr_expect_eq(statistics.bytes_sent, 6);
    cr_expect_eq(statistics.random_access_sent, 1);
    cr_expect_eq(statistics.queue_messages, 0);
}

Test(session, a_ping_is_answered)
{
    SAY("\x89\x04ping");
    turn();
    expect_frame(0x8a, "ping", 4);
}

Test(session, the_peers_close_is_answered_and_told)
{
    struct relay_client_statistics statistics;

    SAY("\x88\x02\x03\xe9");
    turn();
    expect_frame(0x88, "\x03\xe9", 2);
    cr_expect_eq(connection->phase, PHASE_ENDED); /* no reconnecting was asked for */
    cr_expect_eq(states[states_count - 1], RELAY_CLIENT_FAILED);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.last_fault, RELAY_CLIENT_FAULT_CLOSED);
    cr_expect_not_null(strstr(statistics.last_error, "1001 (going away)"), "%s",
                       statistics.last_error);
    cr_expect_eq(connection->transport.fd, -1);
}

Test(session, an_end_without_a_close_is_a_fault)
{
    shutdown(peer_fd, SHUT_WR);
    turn();
    cr_expect_eq(connection->phase, PHASE_ENDED);
    cr_expect_not_null(strstr(connection->fault.text, "ended without a Close"));
}

/* RFC 6455 §5.1: a client must close on a masked frame, with 1002. */
Test(session, a_protocol_error_is_closed_with_its_code)
{
    SAY("\x81\x81\x00\x00\x00\x00x");
    turn();
    cr_expect_eq(connection->phase, PHASE_LINGERING);
    turn();
    expect_frame(0x88, "\x03\xea", 2);
    SAY("more of the same");
    turn();
    cr_expect_eq(connection->phase, PHASE_LINGERING);
    shutdown(peer_fd, SHUT_WR);
    turn();
    cr_expect_eq(connection->phase, PHASE_ENDED);
}

Test(session, a_refused_peer_that_never_closes_is_left_in_time)
{
    SAY("\x81\x81\x00\x00\x00\x00x");
    turn();
    cr_assert_eq(connection->phase, PHASE_LINGERING);
    connection->deadline_ms = connection->now_ms;
    turn();
    cr_expect_eq(connection->phase, PHASE_ENDED);
    cr_expect_eq(states[states_count - 1], RELAY_CLIENT_FAILED);
}

Test(session, closing_sends_what_waits_then_a_close_and_reads_to_the_peers)
{
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "last", 4, 0), 0);
    turn();
    expect_frame(0x81, "last", 4);
    connection->deadline_ms = connection->now_ms + 20000;
    connection_enter(connection, PHASE_CLOSING);
    turn();
    expect_frame(0x88, "\x03\xe8", 2);
    cr_expect_eq(connection->phase, PHASE_CLOSING);
    SAY("\x81\x04late\x88\x02\x03\xe8");
    turn();
    cr_expect_eq(received_len, 4);
    cr_expect_eq(connection->phase, PHASE_ENDED);
}

Test(session, a_closing_that_is_not_answered_ends_in_time)
{
    connection->deadline_ms = connection->now_ms;
    connection_enter(connection, PHASE_CLOSING);
    cr_expect_gt(connection->deadline_ms, connection->now_ms); /* a moment for our Close */
    while (connection->phase == PHASE_CLOSING) {
        turn();
        poll(NULL, 0, 1);
    }
    expect_frame(0x88, "\x03\xe8", 2);
}

/* Over relay.v1 (docs/protocol.md). */

#define ENVELOPE_ZEROS "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0"

static void expect_clock_request(void)
{
    uint8_t first = 0, payload[125];

    cr_assert_eq(frame_take(&first, payload), 12);
    cr_expect_eq(first, 0x82);
    cr_expect_eq(payload[0], 0x43);
}

Test(session_v1, asks_for_the_clock_and_stamps_each_message)
{
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_TEXT, "one", 3, 0), 0);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_BINARY, "two", 3, 0), 0);
    turn();
    expect_clock_request();
    expect_frame(0x82, "\0\1\0\0\0\0\0\0" ENVELOPE_ZEROS "one", 35);
    expect_frame(0x82, "\0\0\0\0\0\0\0\1" ENVELOPE_ZEROS "two", 35);
    struct relay_client_statistics statistics;

    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.bytes_sent, 6, "payloads are counted");
    cr_expect(statistics.relay_v1);
}

Test(session_v1, sends_the_preamble_in_envelopes)
{
    const struct relay_client_slice header = {"head", 4};

    cr_assert_eq(relay_client_set_preamble(client, &header, 1), 0);
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_BINARY, "one", 3, 0), 0);
    turn();
    expect_clock_request();
    expect_frame(0x82, "\0\0\0\0\0\0\0\0" ENVELOPE_ZEROS "head", 36);
    expect_frame(0x82, "\0\0\0\0\0\0\0\1" ENVELOPE_ZEROS "one", 35);
}

Test(session_v1, delivers_payloads_without_their_envelopes)
{
    struct relay_client_statistics statistics;

    SAY("\x82\x25\0\1\0\7\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x0c"
        "hello");
    turn();
    cr_expect_eq(received_len, 5);
    cr_expect_arr_eq(received, "hello", 5);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.bytes_received, 5);
    cr_expect_eq(statistics.hops[RELAY_CLIENT_HOP_IN_RELAY].last_us, 2);
    cr_expect_eq(statistics.hops[RELAY_CLIENT_HOP_TO_RELAY].messages, 0);
}

Test(session_v1, does_not_measure_what_a_viewer_begins_with)
{
    struct relay_client_statistics statistics;

    SAY("\x82\x21\2\4\0\7\0\0\0\0"
        "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\x0a\0\0\0\0\0\0\0\x0c"
        "k");
    turn();
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.messages_received, 1);
    cr_expect_eq(statistics.hops[RELAY_CLIENT_HOP_IN_RELAY].messages, 0);
}

Test(session_v1, hears_of_viewers_and_key_pictures)
{
    struct relay_client_statistics statistics;

    turn();
    cr_expect_eq(keyframes_wanted, 1, "of the connection");
    SAY("\x82\x08\x40\0\0\0\0\0\0\3"
        "\x82\x04\x41\1\0\0");
    turn();
    cr_expect_eq(keyframes_wanted, 2);
    relay_client_statistics(client, &statistics);
    cr_expect_eq(statistics.viewers, 3);
    cr_expect_eq(statistics.messages_received, 0);
}

Test(session_v1, closes_a_relay_that_breaks_the_subprotocol)
{
    turn();
    expect_clock_request();
    SAY("\x81\x05hello");
    turn();
    cr_expect_eq(connection->phase, PHASE_LINGERING);
    turn();
    expect_frame(0x88, "\x03\xea", 2);
    cr_expect_not_null(strstr(connection->fault.text, "1002"), "%s", connection->fault.text);
}

static void hold_key(void)
{
    client->hold.limits.age_max_ns = UINT64_MAX / 2;
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_BINARY, "key", 3,
                                   RELAY_CLIENT_ON_DEMAND | RELAY_CLIENT_RANDOM_ACCESS),
                 0);
    cr_assert_eq(client->hold.count, 1);
}

Test(session_v1, stamps_what_was_held_with_the_time_of_its_sending)
{
    uint8_t first, payload[125];
    struct relay_v1_envelope envelope;

    turn();
    expect_clock_request();
    connection->conversation.clock =
        (struct clock_exchange){.samples = {{.offset_us = 7}}, .count = 1};
    SAY("\x82\x08\x40\0\0\0\0\0\0\0");
    turn();
    hold_key();
    client->hold.first->sent_ns = 3000;
    SAY("\x82\x08\x40\0\0\0\0\0\0\1");
    turn();
    cr_assert_eq(frame_take(&first, payload), RELAY_V1_ENVELOPE_SIZE + 3);
    relay_v1_envelope_read(payload, &envelope);
    cr_expect_eq(envelope.sent_us, 3 + 7);
}

Test(session_v1, does_not_wake_to_say_what_cannot_leave)
{
    static const uint8_t much[1 << 20];

    turn();
    cr_assert_eq(relay_client_send(client, RELAY_CLIENT_BINARY, much, sizeof much, 0), 0);
    while (websocket_takes_message(connection->websocket) ||
           websocket_turn_is_over(connection->websocket)) {
        turn();
    }
    connection->conversation.clock_due_us = 0;
    cr_expect_eq(phase_open.wake_ms(connection), liveness_wake_ms(&connection->liveness));
}

Test(session_v1, keeps_nothing_for_viewers_when_the_connection_is_lost)
{
    turn();
    SAY("\x82\x08\x40\0\0\0\0\0\0\0");
    turn();
    hold_key();
    connection_fail(connection);
    cr_expect_eq(client->hold.count, 0, "what would follow it is lost");
}
