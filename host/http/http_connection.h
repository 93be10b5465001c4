/* One HTTP connection: requests one after the other, until one becomes a WebSocket, which takes the
 * socket over. Frees itself at its end. Host's thread only. */
#pragma once

#include <stdbool.h>

#include "host/http/http_server.h"

enum http_connection_limits {
    HTTP_CONNECTION_INBOX_SIZE = 16 * 1024,
};

enum http_connection_times {
    HTTP_CONNECTION_REQUEST_MS = 10000, /* for a whole request, but the body of a publisher */
    HTTP_CONNECTION_IDLE_MS = 60000,    /* between requests */
    HTTP_CONNECTION_LINGER_MS = 1000,   /* for the peer to read the last answer */
};

/* Takes over the socket, which is closed when there is no memory. */
void http_connection_open(struct http_server *server, int fd, bool is_loopback);

/* Ends all of a server at once. */
void http_connection_close_all(struct http_server *server);
