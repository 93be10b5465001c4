#include "server/http/upgrade.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/http/http_answer.h"
#include "server/http/phase_http.h"
#include "server/placement/placement.h"
#include "server/placement/transfer.h"
#include "server/websocket/phase_websocket.h"
#include "wire/ws_upgrade.h"

enum { REDIRECT_FIELDS_SIZE = HTTP_TARGET_BYTES_MAX + 64 };

/* An upgrade that goes on on another worker. A block of worker.requests. */
struct departure {
    struct transfer transfer;
    const struct http_request *request; /* of the connection that waits */
    struct topic *topic;                /* referenced, with a member reserved: */
    unsigned target;
    struct admission admission;
};

static void send_error(struct conn *conn, const struct http_request *request,
                       const struct admission *admission)
{
    struct http_answer_form form = {.head_only = http_request_is_head(request),
                                    .minor_version = request->minor_version};
    struct access_reply reply = {0};
    unsigned retry_ms;

    access_reply_error(&reply, admission->status, admission->reason);
    if (admission->status == 503 &&
        access_reason_to_wait(&conn->table->shared->access, &retry_ms) != NULL) {
        access_reply_retry_after(&reply, retry_ms);
    } else if (admission->status == 503) {
        counters_increment(&conn->worker->counters, places_refused);
        worker_alarm(conn->worker, ALARM_PLACES);
        access_reply_retry_after(&reply, PLACES_RETRY_MS);
    }
    http_answer_send_reply(conn, &reply, &form);
}

static void send_redirect(struct conn *conn, const struct http_request *request,
                          const char *location)
{
    char fields[REDIRECT_FIELDS_SIZE];
    int len = snprintf(fields, sizeof fields, "Location: %s\r\n", location);

    CHECK(len > 0 && (size_t)len < sizeof fields);
    http_answer_send_plain(conn, request, 301, "Moved Permanently\n", fields);
    bytes_wipe(fields, (size_t)len); /* a code may stand in it */
}

static void answer_refusal(struct conn *conn, const struct http_request *request,
                           const struct admission *admission)
{
    switch (admission->status) {
    case 301:
        send_redirect(conn, request, admission->location);
        break;
    case 400:
        http_answer_send_plain(conn, request, 400, "Bad Request\n",
                               "Sec-Websocket-Version: 13\r\n");
        break;
    case 404:
        http_answer_send_plain(conn, request, 404, "Not Found\n",
                               "X-Content-Type-Options: nosniff\r\n");
        break;
    case 405:
        http_answer_send_plain(conn, request, 405, "Method Not Allowed\n", "Allow: GET\r\n");
        break;
    default:
        send_error(conn, request, admission);
    }
}

static void refuse_upgrade(struct conn *conn, const struct http_request *request,
                           const struct admission *admission)
{
    struct http_answer_asker asker;
    struct audit audit = http_answer_audit(conn, request, &asker);

    counters_increment(&conn->worker->counters, websockets_refused);
    audit_upgrade_refused(&audit, admission);
    answer_refusal(conn, request, admission);
    conn_close_begin(conn, CLOSE_HTTP_REFUSED);
}

static bool send_accept(struct conn *conn, const struct http_request *request,
                        const struct admission *admission)
{
    char accept[WS_ACCEPT_SIZE];
    char fields[256 + SUBPROTOCOL_BYTES_MAX];
    struct bytes key = {0};
    bool is_chosen = admission->subprotocol.len > 0;

    http_request_field(request, "Sec-WebSocket-Key", &key);
    if (ws_upgrade_accept(key, accept) != 0) {
        return false;
    }
    int len = snprintf(fields, sizeof fields,
                       "Upgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: %s\r\n"
                       "%s%.*s%s",
                       accept, is_chosen ? "Sec-WebSocket-Protocol: " : "",
                       is_chosen ? (int)admission->subprotocol.len : 0,
                       is_chosen ? (const char *)admission->subprotocol.data : "",
                       is_chosen ? "\r\n" : "");

    CHECK(len > 0 && (size_t)len < sizeof fields);
    struct http_response response = {.status = 101, .extra_fields = fields, .minor_version = 1};

    return http_answer_send(conn, &response);
}

/* rest: bytes behind the request, which belong to the WebSocket already. */
static void open_websocket(struct conn *conn, const struct http_request *request,
                           const struct admission *admission, struct bytes rest)
{
    if (send_accept(conn, request, admission)) {
        phase_websocket_open(conn, admission, request, rest);
    } else {
        admission_undo(&conn->table->shared->access, admission);
        conn_close_now(conn, CLOSE_IO_ERROR);
    }
}

static const struct departure *departure_of(const struct transfer *transfer)
{
    return (const struct departure *)(const void *)((const char *)transfer -
                                                    offsetof(struct departure, transfer));
}

/* A denial whose letter was here before the connection is seen now; one after this finds it. */
static bool may_arrive(const struct conn_table *table, const struct transfer *transfer)
{
    return admission_holds(&table->shared->access, &departure_of(transfer)->admission,
                           clock_wall_s());
}

/* The one that was reserved: after the opening it has its own, or none. */
static void give_up_place(const struct conn_table *table, const struct departure *departure)
{
    placement_leave(table->shared->placement, departure->topic, departure->target,
                    departure->admission.permission.can_read);
}

static void on_arrived(struct conn *conn, struct transfer *transfer)
{
    const struct departure *departure = departure_of(transfer);
    const struct conn_table *table = conn->table;

    counters_increment(&conn->worker->counters, websockets_moved);
    open_websocket(conn, departure->request, &departure->admission, transfer->rest);
    give_up_place(table, departure);
}

/* The other worker did not take it, so it stays. */
static void go_on(struct conn *conn, struct departure *departure)
{
    struct phase_http *http = phase_http_of(conn);
    struct http_request *request = http->request;
    struct inbox inbox = http->inbox;

    /* The next phase frees both of this one, while they are in use. */
    http->request = NULL;
    http->inbox = (struct inbox){0};
    http->leaves = false;
    counters_increment(&conn->worker->counters, websockets_move_refused);
    if (admission_check_again(&conn->table->shared->access, &departure->admission,
                              clock_wall_s())) {
        open_websocket(conn, request, &departure->admission, departure->transfer.rest);
    } else {
        refuse_upgrade(conn, request, &departure->admission);
    }
    phase_http_put_request(conn, request);
    inbox_clear(&inbox, &conn->worker->requests);
    conn_receive_start(conn);
}

static void on_returned(struct conn *conn, struct transfer *transfer)
{
    struct departure *departure = container_of(transfer, struct departure, transfer);
    struct worker *worker = transfer->home;

    if (conn != NULL) {
        go_on(conn, departure);
        give_up_place(worker->context, departure);
    }
    topic_unref(departure->topic);
    block_pool_put(&worker->requests, departure);
}

static const struct transfer_ops transfer_ops = {
    .may_arrive = may_arrive,
    .on_arrived = on_arrived,
    .on_returned = on_returned,
};

/* False: it stays here, as there is no memory, or it may not leave. */
static bool depart(struct conn *conn, const struct http_request *request,
                   const struct admission *admission, struct bytes rest, struct topic *topic,
                   unsigned target)
{
    struct worker *worker = &conn->worker->group->workers[target];
    struct departure *departure = transfer_may_begin(conn, worker)
                                      ? block_pool_take(&conn->worker->requests, sizeof *departure)
                                      : NULL;

    if (departure == NULL) {
        counters_increment(&conn->worker->counters, websockets_move_refused);
        return false;
    }
    *departure = (struct departure){
        .request = request, .topic = topic, .target = target, .admission = *admission};
    transfer_begin(&departure->transfer, conn, worker, rest, &transfer_ops);
    phase_http_of(conn)->leaves = true;
    return true;
}

/* On the worker that suits its topic. */
static void place(struct conn *conn, const struct http_request *request,
                  const struct admission *admission, struct bytes rest)
{
    const struct conn_shared *shared = conn->table->shared;
    const struct permission *permission = &admission->permission;
    unsigned here = conn->worker->index;
    struct topic *topic = topic_find_or_create(shared->topics, permission->topic);

    if (topic == NULL) {
        open_websocket(conn, request, admission, rest); /* which says so */
        return;
    }
    unsigned target = placement_reserve(shared->placement, topic, here, permission->can_read);

    if (target != here && depart(conn, request, admission, rest, topic, target)) {
        return;
    }
    if (target == here) {
        counters_increment(&conn->worker->counters, websockets_stayed);
    }
    open_websocket(conn, request, admission, rest);
    placement_leave(shared->placement, topic, target, permission->can_read);
    topic_unref(topic);
}

void upgrade_answer(struct conn *conn, const struct http_request *request, struct bytes rest)
{
    const struct conn_shared *shared = conn->table->shared;
    struct admission admission;

    admission_check(&shared->access, request, conn->worker->now_ms, clock_wall_s(), &admission);
    if (admission.status != 101) {
        refuse_upgrade(conn, request, &admission);
    } else if (shared->placement == NULL) {
        open_websocket(conn, request, &admission, rest);
    } else {
        place(conn, request, &admission, rest);
    }
}
