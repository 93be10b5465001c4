/* HTTP: reads one request after another; answers the access API, or hands the socket and the bytes
 * that follow to the WebSocket phase. */
#include "server/http/phase_http.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/access/access.h"
#include "server/admin/admin.h"
#include "server/bookings/booking_note.h"
#include "server/conn/address.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/http/audit.h"
#include "server/http/booking_change.h"
#include "server/http/http_answer.h"
#include "server/http/snapshot_fetch.h"
#include "server/http/upgrade.h"
#include "server/report/report.h"
#include "server/websocket/phase_websocket.h"
#include "wire/http_response.h"
#include "wire/request_target.h"
#include "wire/ws_upgrade.h"

_Static_assert((int)RECV_BUFFER_BYTES >= (int)HTTP_HEAD_BYTES_MAX,
               "a request head fits one buffer");

static void arm_deadline(struct conn *conn)
{
    timer_arm(&conn->worker->timers, &conn->deadline,
              conn->worker->now_ms + (uint64_t)conn->table->shared->config->handshake_timeout_ms);
}

static void http_on_enter(struct conn *conn)
{
    *phase_http_of(conn) = (struct phase_http){0};
    arm_deadline(conn);
}

static void release_request(struct conn *conn)
{
    phase_http_put_request(conn, phase_http_of(conn)->request);
    phase_http_of(conn)->request = NULL;
}

static void release_fields(struct conn *conn)
{
    free(phase_http_of(conn)->fields);
    phase_http_of(conn)->fields = NULL;
}

static void http_on_leave(struct conn *conn)
{
    release_request(conn);
    release_fields(conn);
    inbox_clear(&phase_http_of(conn)->inbox, &conn->worker->requests);
}

/* The oldest of the busiest network gives way. The memory of its requests is free at once, that of
 * an answer when the kernel has let go of it. False: none but this one could, or enough do. */
static bool evict_other(struct conn *conn)
{
    struct conn_table *table = conn->table;

    if (table->evicting >= HTTP_EVICTING_MAX || unfinished_oldest(&table->unfinished) == conn ||
        !conn_close_oldest(table)) {
        return false;
    }
    conn_close_count_memory(conn);
    return true;
}

/* Without memory it has a later turn, when those that were evicted are gone. */
static void await_memory(struct conn *conn)
{
    if (conn->table->evicting == 0) {
        conn_close_count_memory(conn);
        conn_close_now(conn, CLOSE_IO_ERROR);
    } else {
        unfinished_await_memory(&conn->table->unfinished, conn);
    }
}

static struct http_request *make_request(struct conn *conn)
{
    struct http_request *request;

    do {
        request = block_pool_take(&conn->worker->requests, sizeof *request);
    } while (request == NULL && evict_other(conn));
    return request;
}

/* The request's memory is taken with its first byte, so a silent connection costs none. */
static bool take_request(struct conn *conn)
{
    if (phase_http_of(conn)->request != NULL) {
        return true;
    }
    phase_http_of(conn)->request = make_request(conn);
    if (phase_http_of(conn)->request == NULL) {
        await_memory(conn);
        return false;
    }
    http_request_init(phase_http_of(conn)->request);
    return true;
}

static bool send_continue(struct conn *conn)
{
    struct http_response response = {.status = 100, .extra_fields = "", .minor_version = 1};

    return http_answer_send(conn, &response);
}

static void refuse_malformed(struct conn *conn, enum http_request_result result)
{
    static const struct {
        unsigned status;
        const char *text;
    } answers[] = {
        [HTTP_REQUEST_MALFORMED] = {400, "400 Bad Request"},
        [HTTP_REQUEST_TARGET_TOO_LONG] = {414, "414 URI Too Long"},
        [HTTP_REQUEST_HEAD_TOO_LARGE] = {431, "431 Request Header Fields Too Large"},
        [HTTP_REQUEST_BODY_TOO_LARGE] = {413, "413 Content Too Large"},
        [HTTP_REQUEST_BAD_VERSION] = {505, "505 HTTP Version Not Supported"},
        [HTTP_REQUEST_NOT_IMPLEMENTED] = {501, "501 Not Implemented"},
    };

    struct http_answer_asker asker;
    struct audit audit = http_answer_audit(conn, NULL, &asker);

    counters_increment(&conn->worker->counters, http_refused);
    audit_malformed(&audit, answers[result].status, answers[result].text);
    http_answer_send_plain(conn, phase_http_of(conn)->request, answers[result].status,
                           answers[result].text, "");
    conn_close_begin(conn, CLOSE_HTTP_REFUSED);
}

static void finish_reply(struct conn *conn, struct access_reply *reply, bool keep_alive)
{
    if (reply->long_body != NULL) {
        http_answer_release_body(reply);
    }
    bytes_wipe(reply->body, sizeof reply->body);
    phase_http_of(conn)->answered = true;
    if (!keep_alive) {
        conn_close_begin(conn, CLOSE_HTTP_DONE);
    }
}

/* Logs the client of a refusal now, and keeps that of a booking change for when it is done. */
static void tell_who(struct conn *conn, const struct access_call *call,
                     const struct access_reply *reply, struct booking_change_actor *ret_actor)
{
    struct http_answer_asker asker;
    struct audit audit = http_answer_audit(conn, call->request, &asker);

    if (reply->status >= 400) {
        audit_request_refused(&audit, call, reply);
    }
    snprintf(ret_actor->booking_id, sizeof ret_actor->booking_id, "%s", call->claims.booking_id);
    snprintf(ret_actor->address, sizeof ret_actor->address, "%s", audit.client.address);
    snprintf(ret_actor->user_agent, sizeof ret_actor->user_agent, "%s", audit.client.user_agent);
}

/* Not kept alive: what the client sent behind its request was thrown away while it waited. */
void phase_http_answer_deferred(struct conn *conn, struct access_reply *reply)
{
    CHECK(conn->phase == PHASE_HTTP);
    struct http_answer_form form = {.head_only = phase_http_of(conn)->head_only,
                                    .minor_version = phase_http_of(conn)->minor_version};

    const char *fields = phase_http_of(conn)->fields;

    snprintf(reply->fields, sizeof reply->fields, "%s", fields == NULL ? "" : fields);
    http_answer_send_long(conn, reply, &form);
    finish_reply(conn, reply, false);
    conn_receive_start(conn);
}

/* The request will be gone when a deferred answer is given. Without memory that lacks the fields,
 * which are for web pages: what is asked for is carried out all the same. */
static void keep_form(struct conn *conn, const struct http_request *request,
                      const struct access_reply *reply)
{
    struct phase_http *http = phase_http_of(conn);

    http->minor_version = request->minor_version;
    http->head_only = http_request_is_head(request);
    http->fields = reply->fields[0] == '\0' ? NULL : strdup(reply->fields);
}

/* The part of the request that its own worker cannot do alone. True: the reply can be sent now. */
static bool carry_out(struct conn *conn, struct access_reply *reply,
                      const struct booking_change_actor *actor)
{
    switch (reply->action) {
    case ACCESS_ACTION_NONE:
        return true;
    case ACCESS_ACTION_NOTE:
        booking_note(conn->worker, conn->table->shared->store, reply->booking_id, reply->exp_s);
        return true;
    case ACCESS_ACTION_DENY:
    case ACCESS_ACTION_ALLOW:
        return booking_change_carry_out(conn, reply, actor, phase_http_answer_deferred);
    case ACCESS_ACTION_STATUS:
        if (report_for_request(conn, phase_http_answer_deferred)) {
            return false;
        }
        access_reply_error(reply, 503, "out of memory");
        return true;
    case ACCESS_ACTION_SNAPSHOT:
        return snapshot_fetch_carry_out(conn, reply, phase_http_answer_deferred);
    }
    UNREACHABLE();
}

/* The form is kept first: a deferred answer may be given before carry_out returns. */
static bool is_answered_now(struct conn *conn, const struct http_request *request,
                            struct access_reply *reply, const struct booking_change_actor *actor)
{
    if (reply->action == ACCESS_ACTION_NONE) {
        return true;
    }
    keep_form(conn, request, reply);
    if (!carry_out(conn, reply, actor)) {
        return false;
    }
    release_fields(conn);
    return true;
}

static void answer_access(struct conn *conn, const struct http_request *request)
{
    struct conn_shared *shared = conn->table->shared;
    struct access_reply reply;
    struct access_call call = {
        .context = &shared->access,
        .counters = &conn->worker->counters,
        .alarms = &conn->worker->alarms,
        .request = request,
        .now_ms = conn->worker->now_ms,
        .now_s = clock_wall_s(),
    };

    struct booking_change_actor actor = {0};
    bool is_admin = conn->role == LISTENER_ADMIN;

    if (is_admin) {
        admin_handle(conn, &call, &reply);
    } else {
        access_handle(&call, &reply);
    }
    /* Probes of the admin listener would fill the log while the relay is not ready. */
    if ((reply.status >= 400 && !is_admin) || reply.action != ACCESS_ACTION_NONE) {
        tell_who(conn, &call, &reply, &actor);
    }
    if (!is_answered_now(conn, request, &reply, &actor)) {
        return;
    }
    struct http_answer_form form = {
        .keep_alive = request->keep_alive && !atomic_load(&shared->access.is_over),
        .head_only = http_request_is_head(request),
        .minor_version = request->minor_version,
    };
    bool sent = http_answer_send_long(conn, &reply, &form);

    finish_reply(conn, &reply, form.keep_alive && sent);
}

/* The path of the public URL in front of the request's, as a proxy that strips nothing would leave
 * it. */
static void strip_prefix(struct http_request *request, const char *url)
{
    struct bytes path = request_target_path_of_url(url);

    if (path.len > 0 && request->target.len > path.len &&
        memcmp(request->target.data, path.data, path.len) == 0 &&
        request->target.data[path.len] == '/') {
        request->target = bytes_skip(request->target, path.len);
    }
}

/* On a port for both, a request for an upgrade goes to the relay. */
static bool is_for_relay(const struct conn *conn, const struct http_request *request)
{
    if (conn->role == LISTENER_BOTH) {
        return http_request_field_has_token(request, "Upgrade", "websocket");
    }
    return (conn->role & LISTENER_RELAY) != 0;
}

static void answer(struct conn *conn, struct http_request *request, struct bytes rest)
{
    const struct conn_shared *shared = conn->table->shared;

    counters_increment(&conn->worker->counters, http_requests);
    bool for_relay = is_for_relay(conn, request);

    if (conn->role != LISTENER_ADMIN) {
        strip_prefix(request, for_relay ? shared->access.url : shared->access.audience);
    }
    if (for_relay) {
        upgrade_answer(conn, request, rest);
    } else {
        answer_access(conn, request);
    }
}

/* The rest of a request is awaited. */
static void await_more(struct conn *conn, struct http_request *request)
{
    if (!request->expects_continue) {
        return;
    }
    request->expects_continue = false;
    if (!send_continue(conn)) {
        conn_close_now(conn, CLOSE_IO_ERROR);
    }
}

static bool http_wants_bytes(const struct conn *conn)
{
    return inbox_is_empty(&phase_http_seen(conn)->inbox) && !phase_http_seen(conn)->leaves;
}

bool phase_http_is_idle(const struct conn *conn)
{
    const struct phase_http *http = phase_http_seen(conn);

    return http->answered && http->request == NULL && inbox_is_empty(&http->inbox) &&
           !conn->awaits_answer && conn_send_idle(conn);
}

/* The next request may have its turn as soon as the answer before it has gone. */
static void await_turn(struct conn *conn)
{
    if (!http_wants_bytes(conn) && conn_send_idle(conn)) {
        unfinished_await_turn(&conn->table->unfinished, conn);
    }
}

/* After a turn: the peer's end, if it came with the request; else the next one, or more bytes. */
static void go_on(struct conn *conn)
{
    if (conn->peer_ended && (conn->phase == PHASE_WEBSOCKET || conn->phase == PHASE_HTTP)) {
        conn_phase_ops(conn)->on_eof(conn);
    }
    if (conn->phase == PHASE_HTTP && !conn->awaits_answer) {
        await_turn(conn);
    }
    conn_receive_start(conn);
}

/* The inbox is ours, and it may hold a token or a code. */
static void wipe_input(struct bytes bytes, size_t len)
{
    bytes_wipe((uint8_t *)(uintptr_t)bytes.data, len);
}

static enum http_request_result parse_and_wipe(struct http_request *request, struct bytes *bytes)
{
    struct bytes before = *bytes;
    enum http_request_result result = http_request_parse(request, bytes);
    bool is_refused = result != HTTP_REQUEST_OK && result != HTTP_REQUEST_MORE;

    wipe_input(before, is_refused ? before.len : before.len - bytes->len);
    return result;
}

/* Answers a whole request. What is behind it in the inbox is the next one, or belongs to the
 * WebSocket that it opens. */
static void take_whole(struct conn *conn)
{
    struct http_request *request = phase_http_of(conn)->request;
    struct inbox inbox = phase_http_of(conn)->inbox;

    /* The answer may leave this phase, which would free both while they are in use. */
    phase_http_of(conn)->request = NULL;
    phase_http_of(conn)->inbox = (struct inbox){0};
    answer(conn, request, inbox_bytes(&inbox));
    if (conn->phase == PHASE_HTTP && phase_http_of(conn)->leaves) {
        phase_http_of(conn)->request = request;
        phase_http_of(conn)->inbox = inbox;
        return;
    }
    phase_http_put_request(conn, request);
    if (conn->phase == PHASE_HTTP) {
        arm_deadline(conn);
    }
    if (conn->phase == PHASE_HTTP && !conn->awaits_answer) {
        phase_http_of(conn)->inbox = inbox;
    } else {
        inbox_clear(&inbox, &conn->worker->requests);
    }
}

/* One request for each turn, and none while the answer of the one before waits for its reader. */
static void http_on_turn(struct conn *conn)
{
    struct inbox *inbox = &phase_http_of(conn)->inbox;
    struct bytes bytes = inbox_bytes(inbox);

    if (bytes.len == 0 || conn->awaits_answer || conn->is_held || !conn_send_idle(conn) ||
        !take_request(conn)) {
        return;
    }
    struct http_request *request = phase_http_of(conn)->request;
    enum http_request_result result = parse_and_wipe(request, &bytes);

    inbox_skip(inbox, &conn->worker->requests, inbox_bytes(inbox).len - bytes.len);
    if (result == HTTP_REQUEST_MORE) {
        await_more(conn, request);
    } else if (result != HTTP_REQUEST_OK) {
        refuse_malformed(conn, result);
    } else {
        take_whole(conn);
    }
    go_on(conn);
}

static bool add_bytes(struct conn *conn, struct bytes bytes)
{
    bool is_added;

    do {
        is_added = inbox_add(&phase_http_of(conn)->inbox, &conn->worker->requests, bytes);
    } while (!is_added && evict_other(conn));
    return is_added;
}

static void http_on_bytes(struct conn *conn, struct bytes bytes)
{
    if (conn->awaits_answer) {
        /* The answer is the last one. */
    } else if (add_bytes(conn, bytes)) {
        unfinished_await_turn(&conn->table->unfinished, conn);
    } else {
        conn_close_for_memory(conn);
    }
    wipe_input(bytes, bytes.len); /* the receive buffer, ours until this completion ends */
}

static bool http_rests(const struct conn *conn, struct conn_rest *ret_rest)
{
    const struct phase_http *http = phase_http_seen(conn);

    *ret_rest = (struct conn_rest){.unread = inbox_bytes(&http->inbox),
                                   .answered = http->answered,
                                   .due_ms = conn->deadline.due_ms};
    return http->request == NULL && !conn->awaits_answer && !http->leaves && conn_send_idle(conn);
}

static bool http_on_returned(struct conn *conn, const struct conn_rest *rest)
{
    phase_http_of(conn)->answered = rest->answered;
    conn->deadline.due_ms = rest->due_ms;
    return inbox_add(&phase_http_of(conn)->inbox, &conn->worker->requests, rest->unread);
}

/* The hold took nothing but its deadline off it. */
static void http_on_resumed(struct conn *conn)
{
    timer_arm(&conn->worker->timers, &conn->deadline, conn->deadline.due_ms);
    go_on(conn);
}

/* A peer that half-closed after its request still gets the answer. */
static void http_on_eof(struct conn *conn)
{
    if (conn->awaits_answer || !http_wants_bytes(conn)) {
        return; /* the answer closes, or the turn */
    }
    conn_close_begin(conn, CLOSE_BY_PEER);
}

/* A kept-alive connection without a further request is simply done. */
static void http_on_deadline(struct conn *conn)
{
    if (conn->awaits_answer) {
        arm_deadline(conn); /* the answer is ours to give, and it will come */
        return;
    }
    if (!phase_http_of(conn)->answered || phase_http_of(conn)->request != NULL) {
        conn_close_idle(conn, CLOSE_HANDSHAKE_TIMEOUT);
    } else if (conn_send_idle(conn)) {
        conn_close_idle(conn, CLOSE_HTTP_DONE);
    } else {
        conn_close_begin(conn, CLOSE_HTTP_DONE); /* a slow reader gets the rest of a long answer */
    }
    conn_receive_start(conn);
}

/* A deferred answer closes its connection itself; the worker waits for it anyway. */
static void http_on_end(struct conn *conn, enum close_reason reason)
{
    if (!http_wants_bytes(conn)) {
        http_on_turn(conn); /* a request that waits for its turn is answered */
        if (conn->phase != PHASE_HTTP) {
            conn_end(conn, reason);
            return;
        }
    }
    if (conn->awaits_answer && reason == CLOSE_DRAIN) {
        return;
    }
    /* With an answer on its way the peer may be sending its next request, on which a close would
     * reset the connection and lose the answer. */
    if (phase_http_of(conn)->request == NULL && conn_send_idle(conn) && reason == CLOSE_DRAIN) {
        conn_close_idle(conn, reason);
    } else {
        conn_close_begin(conn, reason);
    }
    conn_receive_start(conn);
}

const struct phase_ops phase_http_ops = {
    .on_enter = http_on_enter,
    .on_bytes = http_on_bytes,
    .wants_bytes = http_wants_bytes,
    .on_turn = http_on_turn,
    .on_sent = await_turn,
    .on_eof = http_on_eof,
    .on_deadline = http_on_deadline,
    .on_failed = conn_close_now,
    .on_end = http_on_end,
    .on_resumed = http_on_resumed,
    .rests = http_rests,
    .on_returned = http_on_returned,
    .on_leave = http_on_leave,
};
