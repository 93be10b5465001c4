/* Limits of sending in one turn of the loop; the frames themselves are tested over sockets, in
 * tests/client. */
#include "client/websocket.h"

#include <criterion/criterion.h>
#include <netinet/in.h>
#include <sys/socket.h>
#include <unistd.h>

enum { MESSAGE_SIZE = 2 * 1024 * 1024, KERNEL_SIZE = 4 * 1024 * 1024 };

/* A TCP connection to ourselves whose kernel takes a good part of a mebibyte unread. */
static void connection_open(struct transport *transport, int *ret_peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int size = KERNEL_SIZE;
    int listener = socket(AF_INET, SOCK_STREAM, 0), fd = socket(AF_INET, SOCK_STREAM, 0);

    setsockopt(listener, SOL_SOCKET, SO_RCVBUF, &size, sizeof size);
    setsockopt(fd, SOL_SOCKET, SO_SNDBUF, &size, sizeof size);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(listener, 1), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, len), 0);
    *ret_peer = accept(listener, NULL, NULL);
    cr_assert_geq(*ret_peer, 0);
    close(listener);
    transport_init(transport);
    transport_open(transport, fd);
}

Test(websocket, a_turn_sends_no_more_than_its_allowance)
{
    static const uint8_t data[MESSAGE_SIZE];
    struct websocket *websocket = websocket_create(bytes_of(NULL, 0));
    struct transport transport;
    struct fault fault;
    int peer;

    connection_open(&transport, &peer);
    websocket_start_message(websocket, RELAY_CLIENT_BINARY, data, sizeof data);
    for (uint64_t before = 0; before < 2 * WEBSOCKET_TURN_BYTES_MAX;) {
        uint8_t sink[64 * 1024];

        websocket_turn(websocket);
        cr_assert_eq(websocket_send(websocket, &transport, &fault), PROGRESS_WAIT);
        uint64_t sent = websocket_flushed(websocket) - before;

        before += sent;
        cr_assert_lt(sent, WEBSOCKET_TURN_BYTES_MAX + WEBSOCKET_OUTBOX_SIZE);
        cr_assert_eq(websocket_turn_is_over(websocket), sent >= WEBSOCKET_TURN_BYTES_MAX);
        cr_assert(websocket_send_waits(websocket));
        cr_assert_gt(recv(peer, sink, sizeof sink, 0), 0);
    }
    websocket_destroy(websocket);
    transport_close(&transport);
    close(peer);
}
