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

static void start(void)
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
    connection_enter(connection, PHASE_OPEN);
}

static void stop(void)
{
    websocket_destroy(connection->websocket);
    transport_close(&connection->transport);
    preamble_unref(connection->preamble);
    free(connection);
    relay_client_destroy(client);
    close(peer_fd);
}

TestSuite(session, .init = start, .fini = stop);

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
    (connection->phase == PHASE_CLOSING ? phase_closing : phase_open).on_turn(connection);
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
    expect_frame(0x88, "\x03\xea", 2);
    cr_expect_eq(connection->phase, PHASE_ENDED);
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
