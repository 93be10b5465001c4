/* A relay of the test's own, driven by hand on the test's thread: it answers an access request and
 * a WebSocket handshake, then sends and takes frames. The client works on a thread of its own. */
#pragma once

#include <stdint.h>
#include <stdlib.h>

#include "tests/unit/client/net/loopback.h"
#include "wire/ws_frame.h"
#include "wire/ws_upgrade.h"

enum { RELAY_PEER_HEAD_SIZE = 4096 };

struct relay_peer {
    struct loopback loopback;
    int fd;                          /* the WebSocket; -1: none */
    char head[RELAY_PEER_HEAD_SIZE]; /* of the last request */
};

UNUSED static void relay_peer_open(struct relay_peer *peer)
{
    *peer = (struct relay_peer){.fd = -1};
    loopback_open(&peer->loopback);
}

/* Ends the connection without a Close. */
UNUSED static void relay_peer_hang_up(struct relay_peer *peer)
{
    if (peer->fd >= 0) {
        close(peer->fd);
        peer->fd = -1;
    }
}

UNUSED static void relay_peer_close(struct relay_peer *peer)
{
    relay_peer_hang_up(peer);
    loopback_close(&peer->loopback);
}

/* Of the access point, or with the scheme "ws" of the WebSocket. */
UNUSED static const char *relay_peer_location(const struct relay_peer *peer, const char *scheme,
                                              char location[static 64])
{
    snprintf(location, 64, "%s://127.0.0.1:%u/session/t", scheme, peer->loopback.port);
    return location;
}

/* Bytes of a request or an answer. */
UNUSED static void relay_peer_say(int fd, const void *data, size_t len)
{
    cr_assert_eq(send(fd, data, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* The next connection, whose request is then in head. */
UNUSED static int relay_peer_request(struct relay_peer *peer)
{
    int fd = loopback_accept(&peer->loopback);

    cr_assert_geq(fd, 0, "no connection came");
    cr_assert(loopback_read_head(fd, peer->head, sizeof peer->head), "no request came");
    return fd;
}

/* Answers an access request with this status line and body. */
UNUSED static void relay_peer_answer(struct relay_peer *peer, const char *status, const char *body)
{
    char text[1024];
    int fd = relay_peer_request(peer);
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 %s\r\nContent-Length: %zu\r\nConnection: close\r\n\r\n%s", status,
                       strlen(body), body);

    relay_peer_say(fd, text, (size_t)len);
    close(fd);
}

UNUSED static void relay_peer_grant(struct relay_peer *peer)
{
    char body[256];

    snprintf(body, sizeof body, "{\"uri\":\"ws://127.0.0.1:%u/session/t?code=c0de\"}",
             peer->loopback.port);
    relay_peer_answer(peer, "200 OK", body);
}

/* Accepts the WebSocket, with this subprotocol if it is not NULL. */
UNUSED static void relay_peer_upgrade(struct relay_peer *peer, const char *subprotocol)
{
    char text[512], accept[WS_ACCEPT_SIZE];

    relay_peer_hang_up(peer);
    peer->fd = relay_peer_request(peer);
    const char *key = strstr(peer->head, "Sec-WebSocket-Key: ");

    cr_assert_not_null(key);
    key += strlen("Sec-WebSocket-Key: ");
    cr_assert_eq(ws_upgrade_accept(bytes_of(key, strcspn(key, "\r")), accept), 0);
    int len = snprintf(text, sizeof text,
                       "HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s%s%s\r\n",
                       accept, subprotocol == NULL ? "" : "Sec-WebSocket-Protocol: ",
                       subprotocol == NULL ? "" : subprotocol, subprotocol == NULL ? "" : "\r\n");

    relay_peer_say(peer->fd, text, (size_t)len);
}

UNUSED static void relay_peer_send(struct relay_peer *peer, enum ws_opcode opcode, const void *data,
                                   size_t len)
{
    uint8_t header[WS_SERVER_HEADER_BYTES_MAX];

    relay_peer_say(peer->fd, header, ws_frame_header_write(opcode, len, header));
    relay_peer_say(peer->fd, data, len);
}

UNUSED static void relay_peer_send_close(struct relay_peer *peer, uint16_t code)
{
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];

    relay_peer_send(peer, WS_OPCODE_CLOSE, payload, ws_frame_close_write(code, "", payload));
}

UNUSED static void relay_peer_read(struct relay_peer *peer, void *data, size_t len)
{
    size_t got = 0;

    while (got < len) {
        struct pollfd ready = {.fd = peer->fd, .events = POLLIN};

        cr_assert_eq(poll(&ready, 1, LOOPBACK_PATIENCE_MS), 1, "nothing came");
        ssize_t some = recv(peer->fd, (uint8_t *)data + got, len - got, 0);

        cr_assert_gt(some, 0, "the client is gone");
        got += (size_t)some;
    }
}

/* The next frame of the client, unmasked; its payload fits into size bytes. */
UNUSED static struct bytes relay_peer_take(struct relay_peer *peer, enum ws_opcode *ret_opcode,
                                           void *data, size_t size)
{
    struct ws_frame_parser parser;
    struct ws_frame frame;
    enum ws_frame_result result = WS_FRAME_MORE;
    uint8_t byte, *payload = data;

    ws_frame_parser_init(&parser, WS_ROLE_CLIENT);
    while (result == WS_FRAME_MORE) {
        struct bytes input = bytes_of(&byte, 1);

        relay_peer_read(peer, &byte, 1);
        result = ws_frame_parse(&parser, &input, &frame);
    }
    cr_assert_eq(result, WS_FRAME_OK);
    cr_assert_leq(frame.payload_len, size);
    relay_peer_read(peer, data, (size_t)frame.payload_len);
    for (size_t i = 0; i < frame.payload_len; i++) {
        payload[i] ^= frame.mask[i % 4];
    }
    *ret_opcode = frame.opcode;
    return bytes_of(data, (size_t)frame.payload_len);
}
