/* The WebSocket phase: frames in, messages to the hub; control frames answered; liveness; expiry.
 */
#include "server/websocket/phase_websocket.h"

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/address.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"
#include "server/hub/fanout.h"
#include "wire/ws_mask.h"

enum { TAKING_PONG_TIMEOUTS = 4 };
enum { TEXT_PIECE_MAX = 4096 }; /* still in the first cache when it is checked after the copy */

static uint64_t ping_interval_ms(const struct conn *conn)
{
    return (uint64_t)conn->table->shared->config->ping_interval_ms;
}

/* From a ping that was sent to its pong. */
static uint64_t pong_timeout_ms(const struct conn *conn)
{
    return ping_interval_ms(conn) * 10 / 9;
}

/* From the first byte of a message to its last: a minute, where pings are sent by default. */
static uint64_t assembly_timeout_ms(const struct conn *conn)
{
    return ping_interval_ms(conn) * 12 / 5;
}

static uint64_t earlier(uint64_t a, uint64_t b)
{
    return a < b ? a : b;
}

/* Reasons that come between two reads, not in the middle of one: the parser then stands where the
 * next bytes go on, and the peer's Close can be told from the rest. */
static bool may_wait_for_close(enum close_reason reason)
{
    return reason == CLOSE_DRAIN || reason == CLOSE_EXPIRED || reason == CLOSE_DENIED ||
           reason == CLOSE_ASSEMBLY_TIMEOUT;
}

static void close_saying(struct conn *conn, enum close_reason reason, uint16_t code,
                         const char *text)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];
    size_t len = ws_close_write(code, text, payload);
    struct ws_close_watch watch;

    CHECK(conn->phase == PHASE_WEBSOCKET);
    ws_close_watch_init(&watch, &ws->parser, ws->in_payload ? &ws->frame : NULL, ws->payload_done);
    /* Messages accepted before a stop are still delivered; for other reasons the peer gets none. */
    if (reason != CLOSE_DRAIN) {
        send_queue_drop_waiting(&conn->subscriber.queue, conn->worker);
    }
    conn_close_saying(conn, reason,
                      message_create_control(conn->worker, WS_OPCODE_CLOSE, bytes_of(payload, len)),
                      may_wait_for_close(reason) ? &watch : NULL);
}

static void close_websocket(struct conn *conn, enum close_reason reason, const char *text)
{
    close_saying(conn, reason, close_reason_code(reason), text);
}

static void arm_liveness(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t due_ms = earlier(ws->ping_due_ms, ws->pong_due_ms);

    if (ws->assembly_started_ms != 0) {
        due_ms = earlier(due_ms, ws->assembly_started_ms + assembly_timeout_ms(conn));
    }
    timer_arm(&conn->worker->timers, &conn->liveness, due_ms);
}

/* A slow viewer that takes bytes is alive: our ping is still on its way behind them. Small windows
 * open seldom, so the last seconds count. */
static bool is_taking(struct conn *conn)
{
    uint64_t write_timeout_ms = (uint64_t)conn->table->shared->config->write_timeout_ms;
    uint64_t window_ms = earlier(write_timeout_ms, TAKING_PONG_TIMEOUTS * pong_timeout_ms(conn));
    uint64_t now_ms = conn->worker->now_ms;

    return conn_send_taken_since(conn, now_ms > window_ms ? now_ms - window_ms : 0);
}

/* The pong may be among what is not read yet. Once only: of a TLS record that never ends, bytes
 * wait for ever. */
static bool may_be_unread(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    bool waits = !ws->pong_is_graced && conn_receive_waits(conn);

    ws->pong_is_graced |= waits;
    return waits;
}

/* A pong is due for a ping that was sent, not for one that memory had no room for, and from the
 * first one that is not answered. */
static void send_ping(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *message =
        message_create_control(conn->worker, WS_OPCODE_PING, bytes_of(NULL, 0));

    ws->ping_due_ms = conn->worker->now_ms + ping_interval_ms(conn);
    if (message != NULL) {
        message->is_urgent = true;
        if (conn_send(conn, message) && ws->pong_due_ms == NO_PONG_DUE) {
            ws->pong_due_ms = conn->worker->now_ms + pong_timeout_ms(conn);
        }
    }
    is_taking(conn); /* what it took before the ping is seen before it */
}

static bool assembly_is_late(const struct conn *conn)
{
    uint64_t started_ms = phase_websocket_seen(conn)->assembly_started_ms;

    return started_ms != 0 && conn->worker->now_ms - started_ms >= assembly_timeout_ms(conn);
}

static void on_liveness(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, liveness);
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t now_ms = conn->worker->now_ms;

    CHECK(conn->phase == PHASE_WEBSOCKET);
    if (now_ms >= ws->pong_due_ms) {
        if (!is_taking(conn) && !may_be_unread(conn)) {
            conn_close_now(conn, CLOSE_NO_PONG);
            return;
        }
        ws->pong_due_ms = now_ms + PONG_GRACE_MS;
    }
    if (assembly_is_late(conn)) {
        close_websocket(conn, CLOSE_ASSEMBLY_TIMEOUT, "message not completed in time");
        return;
    }
    if (now_ms >= ws->ping_due_ms) {
        send_ping(conn);
    }
    arm_liveness(conn);
}

/* Token times are of the wall clock, which may step: the timer asks it again. */
static void arm_expiry(struct conn *conn)
{
    int64_t left_s = phase_websocket_of(conn)->exp_s - clock_wall_s();
    uint64_t wait_ms;

    if (left_s <= 0) {
        wait_ms = 0;
    } else {
        uint64_t into_second_ms = clock_wall_ns() / 1000000u % 1000u;

        wait_ms = earlier((uint64_t)left_s, 3600) * 1000 - into_second_ms;
    }
    timer_arm(&conn->worker->timers, &conn->expiry, conn->worker->now_ms + wait_ms);
}

static void on_expiry(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, expiry);

    CHECK(conn->phase == PHASE_WEBSOCKET);
    if (clock_wall_s() < phase_websocket_of(conn)->exp_s) {
        arm_expiry(conn);
        return;
    }
    close_websocket(conn, CLOSE_EXPIRED, "token expired");
}

static const char *shown_address(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    if (conn->table->shared->config->privacy) {
        return "";
    }
    return ws->reported_address[0] != '\0' ? ws->reported_address : ws->remote_address;
}

static void log_opened(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    log_info("new connection", LOG_TEXT("topic", ws->topic->name),
             LOG_TEXT("booking_id", ws->booking_id), LOG_BOOL("can_read", ws->can_read),
             LOG_BOOL("can_write", ws->can_write), LOG_JSON("scopes", ws->scopes_json),
             LOG_INT("expires_at", ws->exp_s), LOG_TEXT("remote_addr", shown_address(conn)),
             LOG_TEXT("user_agent", ws->user_agent), LOG_INT("worker", conn->worker->index));
}

static void log_closed(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);

    log_info("connection closed", LOG_TEXT("reason", close_reason_text(conn->close_reason)),
             LOG_TEXT("topic", ws->topic->name), LOG_TEXT("booking_id", ws->booking_id),
             LOG_JSON("scopes", ws->scopes_json), LOG_TEXT("remote_addr", shown_address(conn)),
             LOG_TEXT("user_agent", ws->user_agent),
             LOG_INT("duration_ms", conn->worker->now_ms - ws->opened_ms),
             LOG_INT("messages_received", ws->messages_received),
             LOG_INT("bytes_received", ws->bytes_received),
             LOG_INT("messages_sent", conn->messages_sent), LOG_INT("bytes_sent", conn->bytes_sent),
             LOG_INT("worker", conn->worker->index));
}

static void websocket_on_bytes(struct conn *conn, struct bytes bytes);

void websocket_open(struct conn *conn, const struct admission *admission,
                    const struct http_request *request, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t now_ms = conn->worker->now_ms;
    struct topic *topic =
        topic_find_or_create(conn->table->shared->topics, admission->permission.topic);

    if (topic == NULL) {
        conn_close_now(conn, CLOSE_IO_ERROR);
        return;
    }
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    *ws = (struct phase_websocket){.topic = topic,
                                   .exp_s = admission->permission.exp_s,
                                   .can_read = admission->permission.can_read,
                                   .can_write = admission->permission.can_write,
                                   .opened_ms = now_ms,
                                   .opened_s = clock_wall_s(),
                                   .ping_due_ms = now_ms + ping_interval_ms(conn),
                                   .pong_due_ms = NO_PONG_DUE};
    memcpy(ws->booking_id, admission->permission.booking_id, sizeof ws->booking_id);
    memcpy(ws->scopes_json, admission->permission.scopes_json, sizeof ws->scopes_json);
    ws_frame_parser_init(&ws->parser, WS_ROLE_CLIENT);
    http_request_field_text(request, "User-Agent", ws->user_agent, sizeof ws->user_agent);
    address_of_client(conn->fd, request, &conn->table->shared->trusted_proxies, ws->remote_address,
                      ws->reported_address);
    timer_init(&conn->liveness, on_liveness);
    timer_init(&conn->expiry, on_expiry);
    arm_liveness(conn);
    arm_expiry(conn);
    if (ws->can_read) {
        topic_subscribe(topic, conn->worker, &conn->subscriber);
    }
    list_append(conn_table_booking(conn->table, ws->booking_id), &conn->booking_node);
    counters_increment(&conn->worker->counters, websockets_opened);
    log_opened(conn);
    websocket_on_bytes(conn, bytes);
}

static void websocket_on_leave(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    log_closed(conn);
    list_remove(&conn->booking_node);
    timer_disarm(&conn->liveness);
    timer_disarm(&conn->expiry);
    if (ws->can_read) {
        topic_unsubscribe(ws->topic, conn->worker, &conn->subscriber);
    }
    topic_unref(ws->topic);
    if (ws->message != NULL) {
        share_unref(conn->worker, &ws->message->home_share);
    }
}

static bool is_control(enum ws_opcode opcode)
{
    return opcode >= WS_OPCODE_CLOSE;
}

static void fail_protocol(struct conn *conn, const char *text)
{
    close_websocket(conn, CLOSE_PROTOCOL_ERROR, text);
}

/* RFC 6455 §8.1. Nothing of the message was published: viewers that check text would have to fail
 * their own connections. */
static void fail_text(struct conn *conn)
{
    close_websocket(conn, CLOSE_INVALID_TEXT, "invalid utf8 in text message");
}

/* How much room a message gets that has len bytes so far announced. Memory for a large one grows as
 * its bytes arrive: an announcement alone must not take megabytes from the others. */
static size_t room_for(const struct phase_websocket *ws)
{
    size_t arrived = ws->message == NULL ? 0 : ws->message->payload_len;
    size_t room = arrived * 4 > MESSAGE_FIRST_BYTES_MAX ? arrived * 4 : MESSAGE_FIRST_BYTES_MAX;

    return ws->message_len < room ? (size_t)ws->message_len : room;
}

static void drop_message(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->message != NULL) {
        share_unref(conn->worker, &ws->message->home_share);
        ws->message = NULL;
    }
}

/* Without memory the message is read and thrown away: the stream goes on with the next one, and the
 * loss is counted. */
static void make_room(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    bool has_room;

    if (ws->message == NULL) {
        ws->message = message_create(conn->worker, room_for(ws));
        has_room = ws->message != NULL;
    } else {
        has_room = message_grow(conn->worker, &ws->message, room_for(ws));
    }
    if (!has_room) {
        counters_increment(&conn->worker->counters, messages_dropped_memory);
        worker_alarm(conn->worker, ALARM_MESSAGE_MEMORY);
        ws->discarding = true;
        drop_message(conn); /* its part so far may be megabytes, which others need now */
    }
}

static void begin_data_frame(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->frame.opcode != WS_OPCODE_CONTINUATION) {
        ws->opcode = ws->frame.opcode;
        ws->message_len = 0;
        ws->discarding = false;
        ws->checks_text =
            ws->opcode == WS_OPCODE_TEXT && conn->table->shared->config->text_is_checked;
        utf8_stream_init(&ws->text);
        if (!ws->can_write) {
            counters_increment(&conn->worker->counters, messages_discarded_readonly);
            ws->discarding = true;
        }
    }
    if (ws->frame.payload_len > MESSAGE_BYTES_MAX - ws->message_len) {
        close_websocket(conn, CLOSE_TOO_BIG, "");
        return;
    }
    ws->message_len += ws->frame.payload_len;
    if (!ws->discarding) {
        make_room(conn);
    }
}

static void begin_frame(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->in_payload = true;
    ws->payload_done = 0;
    ws->control_len = 0;
    if (!is_control(ws->frame.opcode)) {
        begin_data_frame(conn);
    }
}

static void publish(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *message = ws->message;

    ws->message = NULL;
    ws->assembly_started_ms = 0;
    ws->messages_received++;
    ws->bytes_received += ws->message_len;
    ws->last_received_ms = conn->worker->now_ms;
    ws->first_received_ms =
        ws->first_received_ms == 0 ? ws->last_received_ms : ws->first_received_ms;
    counters_increment(&conn->worker->counters, messages_received);
    counters_add(&conn->worker->counters, bytes_received, ws->message_len);
    if (message == NULL) {
        CHECK(ws->discarding);
        return;
    }
    message->received_ms = conn->worker->now_ms;
    message_frame(message, ws->opcode);
    if (ws->topic == conn->table->shared->stats_topic) {
        conn->table->shared->on_command(conn->worker,
                                        bytes_of(message->payload, message->payload_len));
    }
    fanout_publish(conn->worker, ws->topic, message, &conn->subscriber,
                   &conn->table->shared->bounds);
}

static void answer_ping(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *pong = message_create_control(conn->worker, WS_OPCODE_PONG,
                                                  bytes_of(ws->control, ws->control_len));

    if (pong == NULL) {
        counters_increment(&conn->worker->counters, pongs_skipped);
        return;
    }
    pong->is_urgent = true;
    pong->is_pong = true;
    /* A peer that pings without reading gets an answer to some only, among them the last. */
    if (send_queue_replace_pong(&conn->subscriber.queue, conn->worker, &pong->home_share)) {
        counters_increment(&conn->worker->counters, pongs_skipped);
        share_unref(conn->worker, &pong->home_share);
    } else {
        conn_send(conn, pong);
    }
}

static void answer_close(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct bytes payload = bytes_of(ws->control, ws->control_len);
    uint16_t code;
    enum ws_close_result result = ws_close_parse(payload, &code);
    char text[WS_CLOSE_REASON_MAX + 1];

    if (result != WS_CLOSE_OK) {
        ws_close_error_text(result, payload, text, sizeof text);
        fail_protocol(conn, text);
        return;
    }
    close_saying(conn, CLOSE_BY_PEER, code, "");
}

static void end_control_frame(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    switch (ws->frame.opcode) {
    case WS_OPCODE_PING:
        answer_ping(conn);
        break;
    case WS_OPCODE_PONG:
        ws->pong_due_ms = NO_PONG_DUE;
        ws->pong_is_graced = false;
        break;
    case WS_OPCODE_CLOSE:
        answer_close(conn);
        break;
    case WS_OPCODE_CONTINUATION:
    case WS_OPCODE_TEXT:
    case WS_OPCODE_BINARY:
        UNREACHABLE();
    }
}

static void end_frame(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->in_payload = false;
    if (is_control(ws->frame.opcode)) {
        end_control_frame(conn);
    } else if (ws->frame.fin && ws->checks_text && !ws->discarding &&
               !utf8_stream_is_whole(&ws->text)) {
        fail_text(conn);
    } else if (ws->frame.fin) {
        publish(conn);
    }
}

/* Control payloads have room in the connection: the frame parser refuses longer ones. */
static size_t take_control(struct phase_websocket *ws, struct bytes bytes)
{
    ws_mask_copy(ws->control + ws->control_len, bytes.data, bytes.len, ws->frame.mask,
                 ws->payload_done);
    ws->control_len = (uint8_t)(ws->control_len + bytes.len);
    return bytes.len;
}

/* Moves payload bytes to their place, checking text while it is in the cache. Returns how many: the
 * rest comes with the next piece, after more room was made. */
static size_t take_data(struct conn *conn, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *message = ws->message;
    size_t room = message->payload_capacity - message->payload_len;
    size_t len = bytes.len < room ? bytes.len : room;
    uint8_t *target = message->payload + message->payload_len;

    if (ws->checks_text && len > TEXT_PIECE_MAX) {
        len = TEXT_PIECE_MAX;
    }
    ws_mask_copy(target, bytes.data, len, ws->frame.mask, ws->payload_done);
    message->payload_len += (uint32_t)len;
    if (ws->checks_text && !utf8_stream_take(&ws->text, bytes_of(target, len))) {
        fail_text(conn);
    }
    return len;
}

/* Returns the bytes after the payload, or after the part of it that was taken. */
static struct bytes take_payload(struct conn *conn, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t left = ws->frame.payload_len - ws->payload_done;
    size_t len = bytes.len < left ? bytes.len : (size_t)left;

    if (len == 0) {
        return bytes;
    }
    if (is_control(ws->frame.opcode)) {
        len = take_control(ws, bytes_of(bytes.data, len));
    } else {
        if (!ws->discarding && ws->message->payload_len == ws->message->payload_capacity) {
            make_room(conn);
        }
        if (!ws->discarding) {
            len = take_data(conn, bytes_of(bytes.data, len));
        }
    }
    if (conn->phase == PHASE_WEBSOCKET) {
        ws->payload_done += len;
    }
    return bytes_skip(bytes, len);
}

static void fail_frame(struct conn *conn, enum ws_frame_result result)
{
    char text[64];

    ws_frame_error_text(result, phase_websocket_of(conn)->parser.header, text, sizeof text);
    fail_protocol(conn, text);
}

/* False when all bytes are used up or the connection left the phase. */
static bool step(struct conn *conn, struct bytes *bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (!ws->in_payload) {
        enum ws_frame_result result = ws_frame_parse(&ws->parser, bytes, &ws->frame);

        if (result == WS_FRAME_MORE) {
            return false;
        }
        if (result != WS_FRAME_OK) {
            fail_frame(conn, result);
            return false;
        }
        begin_frame(conn);
        if (conn->phase != PHASE_WEBSOCKET) {
            return false;
        }
    }
    *bytes = take_payload(conn, *bytes);
    if (conn->phase == PHASE_WEBSOCKET && ws->payload_done == ws->frame.payload_len) {
        end_frame(conn);
    }
    return conn->phase == PHASE_WEBSOCKET && bytes->len > 0;
}

static void websocket_on_bytes(struct conn *conn, struct bytes bytes)
{
    while (bytes.len > 0 && step(conn, &bytes)) {
    }
    if (conn->phase == PHASE_WEBSOCKET && phase_websocket_of(conn)->message != NULL &&
        phase_websocket_of(conn)->assembly_started_ms == 0) {
        phase_websocket_of(conn)->assembly_started_ms = conn->worker->now_ms;
        arm_liveness(conn);
    }
}

/* Without a Close it is an abrupt end, and nobody waits for what is queued. A peer that ended only
 * its own direction is told by close_notify that ours was not cut off. */
static void websocket_on_eof(struct conn *conn)
{
    if (conn->transport->notify == NULL) {
        conn_close_now(conn, CLOSE_BY_PEER);
        return;
    }
    send_queue_drop_waiting(&conn->subscriber.queue, conn->worker);
    conn_close_begin(conn, CLOSE_BY_PEER);
}

static void websocket_on_deadline(struct conn *conn)
{
    if (conn_send_stalled(conn)) {
        conn_close_now(conn, CLOSE_SEND_STALLED);
    } else if (conn->send_op.in_flight) {
        send_queue_drop_old(&conn->subscriber.queue, conn->worker, &conn->table->shared->bounds);
        timer_arm(&conn->worker->timers, &conn->deadline, conn_send_look_ms(conn));
    }
}

static void websocket_on_end(struct conn *conn, enum close_reason reason)
{
    switch (reason) {
    case CLOSE_DRAIN:
        close_websocket(conn, reason, "server is stopping");
        return;
    case CLOSE_DENIED:
        close_websocket(conn, reason, "booking cancelled");
        return;
    default:
        CHECK(reason == CLOSE_REKEY);
        close_websocket(conn, reason, "re-key not supported by this kernel, reconnect");
    }
}

const struct phase_ops phase_websocket_ops = {
    .on_bytes = websocket_on_bytes,
    .on_eof = websocket_on_eof,
    .on_deadline = websocket_on_deadline,
    .on_failed = conn_close_now,
    .on_end = websocket_on_end,
    .on_leave = websocket_on_leave,
};
