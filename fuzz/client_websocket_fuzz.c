/* Reaches websocket_receive, websocket_send and all below: header_fault, frame_open,
 * close_received, wslay_frame_recv. Whatever a server sends, messages stay within their bound, an
 * end has its reason, and our answers are sent. Input: the server's bytes; they go through a socket
 * pair. */
#include <stdint.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/utf8.h"
#include "client/websocket.h"

enum { INPUT_BYTES_MAX = 64 * 1024 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool is_close_code(int code)
{
    return (code >= 1000 && code <= 1003) || code == 1005 || (code >= 1007 && code <= 1014) ||
           (code >= 3000 && code <= 4999);
}

static void receive_all(struct websocket *websocket, struct transport *transport)
{
    struct websocket_message message;
    struct fault fault;
    enum websocket_result result;

    fault_clear(&fault);
    while ((result = websocket_receive(websocket, transport, &message, &fault)) != WEBSOCKET_WAIT) {
        if (result == WEBSOCKET_ENDED) {
            CHECK(fault.kind == RELAY_CLIENT_FAULT_CLOSED && fault.text[0] != '\0');
            CHECK(fault.close_code == 0 || is_close_code(fault.close_code));
            break;
        }
        if (result == WEBSOCKET_MESSAGE) {
            CHECK(message.type == RELAY_CLIENT_TEXT || message.type == RELAY_CLIENT_BINARY);
            CHECK(message.len <= WEBSOCKET_MESSAGE_BYTES_MAX);
            CHECK(message.type != RELAY_CLIENT_TEXT ||
                  utf8_is_valid(bytes_of(message.data, message.len)));
        }
    }
    CHECK(websocket_send(websocket, transport, &fault) != PROGRESS_WAIT);
    CHECK(fault.kind != RELAY_CLIENT_FAULT_NONE || !websocket_send_waits(websocket));
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct transport transport;
    int fds[2];

    if (size > INPUT_BYTES_MAX || socketpair(AF_UNIX, SOCK_STREAM, 0, fds) != 0) {
        return 0;
    }
    /* The first half comes with the handshake's answer, the rest by itself. */
    size_t leftover = size / 2 < 4096 ? size / 2 : 4096;
    struct websocket *websocket = websocket_create(bytes_of(data, leftover));

    CHECK(websocket != NULL);
    CHECK(send(fds[1], data + leftover, size - leftover, MSG_NOSIGNAL) ==
          (ssize_t)(size - leftover));
    CHECK(shutdown(fds[1], SHUT_WR) == 0);
    transport_init(&transport);
    transport_open(&transport, fds[0]);
    websocket_turn(websocket);
    receive_all(websocket, &transport);
    websocket_destroy(websocket);
    transport_close(&transport);
    close(fds[1]);
    return 0;
}
