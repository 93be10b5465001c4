#include "host/http/http_connection.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "host/http/api.h"
#include "host/http/body.h"
#include "host/http/control_guard.h"
#include "host/http/route.h"
#include "host/publisher/publisher.h"
#include "wire/http_response.h"
#include "wire/ws_upgrade.h"

enum { HEAD_ROOM = 2 * HTTP_RESPONSE_HEAD_MAX + ROUTE_NAME_SIZE };

enum phase {
    PHASE_HEAD,    /* between requests, or in the head of one */
    PHASE_BODY,    /* collected in content */
    PHASE_PUBLISH, /* the publisher takes the body */
    PHASE_ENDING,  /* the last answer is on its way; input is discarded */
    PHASE_OVER,    /* freed at the end of the turn */
};

struct http_connection {
    struct list node;
    struct http_server *server;
    struct loop_watch watch;
    struct loop_timer timer;
    bool is_loopback;
    enum phase phase;

    struct http_request request;
    struct route route;
    struct body body;
    struct publisher *publisher;
    char content[RULE_BYTES_MAX];
    size_t content_len;

    char *out; /* malloc'ed; NULL: nothing is to be sent, and input may be read */
    size_t out_len, out_sent;

    size_t in_start, in_end;
    uint8_t in[HTTP_CONNECTION_INBOX_SIZE];
};

static void arm(struct http_connection *connection, uint64_t after_ms)
{
    struct loop *loop = connection->server->loop;

    loop_timer_arm(loop, &connection->timer, loop->now_ms + after_ms);
}

static void await_request(struct http_connection *connection)
{
    http_request_wipe(&connection->request);
    http_request_init(&connection->request);
    http_request_leave_body(&connection->request);
    connection->phase = PHASE_HEAD;
    arm(connection, HTTP_CONNECTION_IDLE_MS);
}

static void end_publisher(struct http_connection *connection)
{
    if (connection->publisher != NULL) {
        publisher_destroy(connection->publisher);
        connection->publisher = NULL;
        connection->server->publishers_count--;
    }
}

/* Leaves the socket open. */
static void destroy(struct http_connection *connection)
{
    end_publisher(connection);
    loop_timer_disarm(&connection->timer);
    loop_watch_remove(connection->server->loop, &connection->watch);
    list_remove(&connection->node);
    connection->server->connections_count--;
    http_request_wipe(&connection->request);
    json_answer_free(connection->out);
    bytes_wipe(connection->content, connection->content_len);
    bytes_wipe(connection->in, connection->in_end);
    free(connection);
}

static void end(struct http_connection *connection)
{
    int fd = connection->watch.fd;

    destroy(connection);
    close(fd);
}

/* Answers. */

static void flush(struct http_connection *connection)
{
    while (connection->out_sent < connection->out_len) {
        ssize_t sent =
            send(connection->watch.fd, connection->out + connection->out_sent,
                 connection->out_len - connection->out_sent, MSG_NOSIGNAL | MSG_DONTWAIT);

        if (sent < 0) {
            if (errno != EAGAIN && errno != EINTR) {
                connection->phase = PHASE_OVER;
            }
            return;
        }
        connection->out_sent += (size_t)sent;
    }
    json_answer_free(connection->out);
    connection->out = NULL;
    if (connection->phase == PHASE_ENDING) {
        shutdown(connection->watch.fd, SHUT_WR);
        arm(connection, HTTP_CONNECTION_LINGER_MS);
    }
}

static void send_response(struct http_connection *connection, const struct http_response *response)
{
    size_t size = HEAD_ROOM + response->body.len;

    CHECK(connection->out == NULL);
    connection->out = calloc(1, size + 1); /* terminated, to be wiped as a text */
    int len =
        connection->out == NULL ? -ENOMEM : http_response_write(response, connection->out, size);

    if (len < 0) {
        connection->phase = PHASE_OVER;
        return;
    }
    connection->out_len = (size_t)len;
    connection->out_sent = 0;
    flush(connection);
}

static void extra_fields(const struct http_connection *connection, const struct api_answer *answer,
                         const char *fields, char *text, size_t size)
{
    snprintf(text, size, "%s%s%s%s%s", fields,
             answer->no_sniff ? "X-Content-Type-Options: nosniff\r\n" : "",
             answer->status == 301 ? "Location: " : "",
             answer->status == 301 ? connection->route.name : "",
             answer->status == 301 ? "\r\n" : "");
}

/* The request is over; so is the connection unless the peer keeps it. */
static void answer(struct http_connection *connection, struct api_answer answer, const char *fields,
                   bool keep_alive)
{
    char extra[ROUTE_NAME_SIZE + 128];
    struct http_response response = {
        .status = answer.status,
        .content_type = answer.content_type,
        .body = bytes_of_text(answer.text),
        .extra_fields = extra,
        .keep_alive = keep_alive,
        .head_only = http_request_is_head(&connection->request),
        .minor_version = connection->request.minor_version,
        .date_s = clock_wall_s(),
    };

    extra_fields(connection, &answer, fields, extra, sizeof extra);
    if (keep_alive) {
        await_request(connection);
    } else {
        connection->phase = PHASE_ENDING;
        arm(connection, HTTP_CONNECTION_REQUEST_MS);
    }
    send_response(connection, &response);
    json_answer_free(answer.body);
}

static void answer_plain(struct http_connection *connection, unsigned status, const char *text)
{
    answer(connection, api_answer_plain(status, text), "",
           connection->request.keep_alive && status < 400);
}

/* WebSockets. */

static void refuse_upgrade(struct http_connection *connection)
{
    answer(connection, api_answer_plain(400, "Bad Request\n"), "Sec-Websocket-Version: 13\r\n",
           false);
}

static bool send_switching(const struct http_connection *connection)
{
    const struct http_request *request = &connection->request;
    char head[HTTP_RESPONSE_HEAD_MAX], extra[256], accept[WS_ACCEPT_SIZE];
    struct http_response response = {.status = 101, .extra_fields = extra, .keep_alive = true};
    struct bytes key = {0};

    http_request_field(request, "Sec-WebSocket-Key", &key);
    if (ws_upgrade_accept(key, accept) != 0) {
        return false;
    }
    snprintf(extra, sizeof extra,
             "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n%s", accept,
             ws_upgrade_offers(request, "null") ? "Sec-WebSocket-Protocol: null\r\n" : "");
    int len = http_response_write(&response, head, sizeof head);

    return len > 0 &&
           send(connection->watch.fd, head, (size_t)len, MSG_NOSIGNAL | MSG_DONTWAIT) == len;
}

/* The connection is gone afterwards, or answers. */
static bool upgrade(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct bytes leftover =
        bytes_of(connection->in + connection->in_start, connection->in_end - connection->in_start);
    uint8_t rest[HTTP_CONNECTION_INBOX_SIZE];
    char feed[ROUTE_NAME_SIZE];
    int fd = connection->watch.fd;
    bool may_command = connection->is_loopback || server->settings.control_is_remote;

    if (ws_upgrade_check(&connection->request) != WS_UPGRADE_OK) {
        refuse_upgrade(connection);
        return false;
    }
    if (!send_switching(connection)) {
        connection->phase = PHASE_OVER;
        return false;
    }
    memcpy(rest, leftover.data, leftover.len);
    leftover.data = rest;
    snprintf(feed, sizeof feed, "%s", connection->route.name);
    destroy(connection);
    local_client_open(server->clients, fd, feed, may_command, leftover);
    return true;
}

/* Requests. */

static void begin_publishing(struct http_connection *connection)
{
    struct http_server *server = connection->server;

    connection->publisher =
        server->publishers_count == HTTP_SERVER_PUBLISHERS_MAX
            ? NULL
            : publisher_create(server->loop, server->feeds, connection->route.name);
    if (connection->publisher == NULL) {
        answer_plain(connection, 503, "too many cameras\n");
        return;
    }
    server->publishers_count++;
    connection->phase = PHASE_PUBLISH;
    loop_timer_disarm(&connection->timer);
}

static void end_request(struct http_connection *connection)
{
    struct http_server *server = connection->server;
    struct bytes content = bytes_of(connection->content, connection->content_len);
    bool keep_alive = connection->request.keep_alive;

    if (connection->phase == PHASE_PUBLISH) {
        end_publisher(connection);
        answer_plain(connection, 200, "");
        return;
    }
    if (connection->route.kind == ROUTE_STATUS && server->report != NULL) {
        char *report = server->report(server->report_context);

        answer(connection,
               (struct api_answer){.status = report == NULL ? 500 : 200,
                                   .content_type = "application/json",
                                   .text = report == NULL ? "{}" : report,
                                   .body = report},
               "", keep_alive);
        return;
    }
    answer(connection, api_answer(server->control, &connection->route, content), "", keep_alive);
}

static void send_continue(struct http_connection *connection)
{
    struct http_response response = {.status = 100, .extra_fields = ""};

    if (connection->request.expects_continue) {
        connection->request.expects_continue = false;
        send_response(connection, &response);
    }
}

static const char *control_refusal(const struct http_connection *connection)
{
    struct control_guard guard = {.is_loopback = connection->is_loopback,
                                  .is_remote = connection->server->settings.control_is_remote};

    return route_is_control(&connection->route)
               ? control_guard_refusal(&guard, &connection->request)
               : NULL;
}

/* False: the connection is gone. */
static bool begin_request(struct http_connection *connection)
{
    route_find(connection->request.method, connection->request.target, &connection->route);
    const char *refusal = control_refusal(connection);

    if (refusal != NULL) {
        answer_plain(connection, 403, refusal);
        return true;
    }
    if (connection->route.kind == ROUTE_WEBSOCKET) {
        return !upgrade(connection);
    }
    body_init(&connection->body, &connection->request);
    connection->content_len = 0;
    connection->phase = PHASE_BODY;
    if (connection->route.kind == ROUTE_PUBLISH) {
        begin_publishing(connection);
    }
    if (connection->phase == PHASE_BODY || connection->phase == PHASE_PUBLISH) {
        if (body_is_empty(&connection->body)) {
            end_request(connection);
        } else {
            send_continue(connection);
        }
    }
    return true;
}

static unsigned status_of(enum http_request_result result)
{
    switch (result) {
    case HTTP_REQUEST_TARGET_TOO_LONG:
        return 414;
    case HTTP_REQUEST_HEAD_TOO_LARGE:
        return 431;
    case HTTP_REQUEST_BODY_TOO_LARGE:
        return 413;
    case HTTP_REQUEST_BAD_VERSION:
        return 505;
    case HTTP_REQUEST_NOT_IMPLEMENTED:
        return 501;
    case HTTP_REQUEST_OK:
    case HTTP_REQUEST_MORE:
    case HTTP_REQUEST_MALFORMED:
        break;
    }
    return 400;
}

static void refuse(struct http_connection *connection, unsigned status)
{
    char text[64];

    snprintf(text, sizeof text, "%u %s", status, http_response_status_text(status));
    end_publisher(connection);
    connection->request.keep_alive = false;
    answer_plain(connection, status, text);
}

/* False: the connection is gone. */
static bool read_head(struct http_connection *connection, struct bytes *input)
{
    enum http_request_result result = http_request_parse(&connection->request, input);

    connection->in_start = connection->in_end - input->len;
    if (result == HTTP_REQUEST_MORE) {
        return true;
    }
    if (result != HTTP_REQUEST_OK) {
        refuse(connection, status_of(result));
        return true;
    }
    return begin_request(connection);
}

/* False: there is too much. */
static bool collect(struct http_connection *connection, struct bytes content)
{
    if (content.len > sizeof connection->content - connection->content_len) {
        return false;
    }
    if (content.len > 0) {
        memcpy(connection->content + connection->content_len, content.data, content.len);
    }
    connection->content_len += content.len;
    return true;
}

static void read_body(struct http_connection *connection, struct bytes *input)
{
    struct body_piece piece;
    enum body_result result = body_read(&connection->body, input, &piece);

    connection->in_start = connection->in_end - input->len;
    if (connection->phase == PHASE_PUBLISH) {
        if (piece.content.len > 0) {
            publisher_take(connection->publisher, piece.content, piece.chunk_size, piece.in_chunk);
        }
    } else if (!collect(connection, piece.content)) {
        refuse(connection, 413);
        return;
    }
    if (result == BODY_MALFORMED) {
        refuse(connection, 400);
    } else if (result == BODY_OK) {
        end_request(connection);
    }
}

/* Works through the input until it is used up or an answer waits. False: the connection is gone. */
static bool process(struct http_connection *connection)
{
    while (connection->out == NULL && connection->in_start < connection->in_end) {
        struct bytes input = bytes_of(connection->in + connection->in_start,
                                      connection->in_end - connection->in_start);

        switch (connection->phase) {
        case PHASE_HEAD:
            if (!read_head(connection, &input)) {
                return false;
            }
            break;
        case PHASE_BODY:
        case PHASE_PUBLISH:
            read_body(connection, &input);
            break;
        case PHASE_ENDING:
        case PHASE_OVER:
            connection->in_start = connection->in_end;
            return true;
        }
    }
    return true;
}

/* False: the connection is gone. */
static bool receive(struct http_connection *connection)
{
    ssize_t got = recv(connection->watch.fd, connection->in, sizeof connection->in, MSG_DONTWAIT);

    if (got < 0 && (errno == EAGAIN || errno == EINTR)) {
        return true;
    }
    if (got <= 0) {
        connection->phase = PHASE_OVER;
        return true;
    }
    if (connection->phase == PHASE_HEAD && connection->request.text_len == 0) {
        arm(connection, HTTP_CONNECTION_REQUEST_MS);
    }
    connection->in_start = 0;
    connection->in_end = (size_t)got;
    return process(connection);
}

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct http_connection *connection = container_of(watch, struct http_connection, watch);
    bool is_there = true;

    if (connection->out != NULL) {
        flush(connection);
        is_there = process(connection);
    }
    if (is_there && connection->out == NULL && connection->in_start == connection->in_end &&
        events & (EPOLLIN | EPOLLHUP | EPOLLERR)) {
        is_there = receive(connection);
    }
    if (!is_there) {
        return;
    }
    if (connection->phase == PHASE_OVER || events & EPOLLERR) {
        end(connection);
        return;
    }
    loop_watch_change(connection->server->loop, watch,
                      connection->out == NULL ? EPOLLIN : EPOLLOUT);
}

static void on_due(struct loop_timer *timer)
{
    end(container_of(timer, struct http_connection, timer));
}

void http_connection_open(struct http_server *server, int fd, bool is_loopback)
{
    struct http_connection *connection = calloc(1, sizeof *connection);

    if (connection == NULL) {
        close(fd);
        return;
    }
    connection->server = server;
    connection->is_loopback = is_loopback;
    connection->watch = (struct loop_watch){.fd = fd, .events = EPOLLIN, .on_ready = on_ready};
    loop_timer_init(&connection->timer, on_due);
    if (loop_watch_add(server->loop, &connection->watch) != 0) {
        free(connection);
        close(fd);
        return;
    }
    list_append(&server->connections, &connection->node);
    server->connections_count++;
    await_request(connection);
}

void http_connection_close_all(struct http_server *server)
{
    while (!list_empty(&server->connections)) {
        end(container_of(list_take_first(&server->connections), struct http_connection, node));
    }
}
