/* The host's HTTP server: its listening sockets and its connections. Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/list.h"
#include "host/control/control.h"
#include "host/http/listener.h"
#include "host/local/local_client.h"
#include "host/loop/loop.h"

enum http_server_limits {
    HTTP_SERVER_CONNECTIONS_MAX = 512, /* with local clients; more are closed at once */
    HTTP_SERVER_PUBLISHERS_MAX = 64,   /* each may hold a message of 10 MiB; more get 503 */
};

struct http_server_settings {
    const char *bind_address; /* NULL or empty: all interfaces */
    uint16_t port;
    bool control_is_remote; /* rules may be changed from other machines */
};

struct http_server {
    struct http_server_settings settings;
    struct loop *loop;
    struct feed_table *feeds;
    struct control *control;
    struct local_client_list *clients;
    struct listener listener;
    struct list connections;
    unsigned connections_count, publishers_count;
    uint64_t refused; /* connections beyond the limit */

    /* The body of GET /api/status, malloc'ed, for json_answer_free; NULL: there is no such route.
     */
    char *(*report)(void *context);
    void *report_context;
};

/* The parts are borrowed, and set in *server before. 0 or -errno. */
MUST_USE int http_server_open(struct http_server *server);

/* No new connection; those that there are end at once, publishers with what they hold sent. */
void http_server_close(struct http_server *server);
