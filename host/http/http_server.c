#include "host/http/http_server.h"

#include <unistd.h>

#include "base/log.h"
#include "host/http/http_connection.h"

static void on_accepted(struct listener *listener, int fd, bool is_loopback)
{
    struct http_server *server = container_of(listener, struct http_server, listener);

    if (server->connections_count + server->clients->count >= HTTP_SERVER_CONNECTIONS_MAX) {
        if (server->refused++ == 0) {
            log_warn("too many connections: new ones are closed",
                     LOG_INT("connections", HTTP_SERVER_CONNECTIONS_MAX));
        }
        close(fd);
        return;
    }
    http_connection_open(server, fd, is_loopback);
}

int http_server_open(struct http_server *server)
{
    list_init(&server->connections);
    return listener_open(&server->listener, server->loop, server->settings.bind_address,
                         server->settings.port, on_accepted);
}

void http_server_close(struct http_server *server)
{
    listener_close(&server->listener);
    http_connection_close_all(server);
}
