/* The WebSocket phase: frames in, messages to the hub; control frames answered. */
#include "server/websocket/phase_websocket.h"

#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"
#include "server/hub/drop_policy.h"
#include "server/hub/fanout.h"
#include "server/hub/stream_cache.h"
#include "server/hub/stream_join.h"
#include "server/websocket/attendance.h"
#include "server/websocket/close_frame.h"
#include "server/websocket/control_frame.h"
#include "server/websocket/deadlines.h"
#include "server/websocket/publish/message_room.h"
#include "server/websocket/websocket_log.h"
#include "wire/ws_mask.h"

enum { TEXT_PIECE_MAX = 4096 }; /* still in the first cache when it is checked after the copy */

static void websocket_on_bytes(struct conn *conn, struct bytes bytes);
static void websocket_on_room(struct subscriber *subscriber);

/* Memory is out, behind the 101. */
static void refuse_open(struct conn *conn, const struct admission *admission)
{
    admission_undo(&conn->table->shared->access, admission);
    conn_close_now(conn, CLOSE_IO_ERROR);
}

void phase_websocket_open(struct conn *conn, const struct admission *admission,
                          const struct http_request *request, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint64_t now_ms = conn->worker->now_ms;
    struct phase_websocket begin = {.exp_s = admission->permission.exp_s,
                                    .can_read = admission->permission.can_read,
                                    .can_write = admission->permission.can_write,
                                    .opened_ms = now_ms,
                                    .opened_s = clock_wall_s()};

    if (!attendance_take(conn, admission, request, &begin)) {
        refuse_open(conn, admission);
        return;
    }
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    *ws = begin;
    pace_init(&ws->pace, now_ms);
    ws_frame_parser_init(&ws->parser, WS_ROLE_CLIENT);
    deadlines_start(conn);
    conn->subscriber.on_dropped = losses_on_dropped;
    conn->subscriber.on_room = websocket_on_room;
    attendance_join(conn, &admission->wishes);
    list_append(conn_table_booking(conn->table, ws->identity.booking_id), &conn->booking_node);
    counters_increment(&conn->worker->counters, websockets_opened);
    websocket_log_opened(conn);
    websocket_on_bytes(conn, bytes);
}

void phase_websocket_restore(struct conn *conn, const struct phase_websocket *state)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    CHECK(state->topic != NULL && state->message == NULL && inbox_is_empty(&state->inbox));
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    *ws = *state;
    deadlines_init(conn);
    conn->subscriber.on_dropped = losses_on_dropped;
    conn->subscriber.on_room = websocket_on_room;
    attendance_return(conn);
    list_append(conn_table_booking(conn->table, ws->identity.booking_id), &conn->booking_node);
    hold_include(conn);
}

static void stop_waiting(struct conn *conn)
{
    list_remove(&conn->paced_node);
    list_remove(&conn->subscriber.room_node);
}

static void websocket_on_leave(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (conn->given == 0) { /* the other program tells of its end */
        websocket_log_closed(conn);
    }
    conn->subscriber.on_dropped = NULL;
    topic_counts_leave(conn->subscriber.counts, ws->can_read, ws->can_write);
    conn->subscriber.counts = NULL; /* its row may be another topic's soon */
    list_remove(&conn->booking_node);
    stop_waiting(conn);
    inbox_clear(&ws->inbox, &conn->worker->blocks);
    deadlines_stop(conn);
    stream_cache_end(conn->worker, ws->topic, &conn->subscriber);
    recogniser_deinit(&ws->recogniser, conn->worker, ws->topic);
    if (ws->can_read) {
        stream_join_end(&conn->subscriber);
        topic_unsubscribe(ws->topic, conn->worker, &conn->subscriber);
    }
    attendance_leave(conn);
    places_give(conn->table->shared->access.places, ws->identity.booking_id, ws->topic->name);
    free(ws->control);
    attendance_give(ws);
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
    close_frame_say(conn, CLOSE_PROTOCOL_ERROR, text);
}

/* RFC 6455 §8.1. Nothing of the message was published: viewers that check text would have to fail
 * their own connections. */
static void fail_text(struct conn *conn)
{
    close_frame_say(conn, CLOSE_INVALID_TEXT, "invalid utf8 in text message");
}

static void drop_message(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->message != NULL) {
        share_unref(conn->worker, &ws->message->home_share);
        ws->message = NULL;
    }
}

/* It is read and thrown away: the stream goes on with the next one. Its part so far may be
 * megabytes, which others need now. */
static void discard_message(struct conn *conn, enum alarm_kind kind)
{
    worker_alarm_about(conn->worker, kind, "topic", phase_websocket_of(conn)->topic->name);
    phase_websocket_of(conn)->discarding = true;
    drop_message(conn);
}

/* Bytes that are not the publisher's payload. */
static size_t envelope_size(const struct phase_websocket *ws)
{
    return ws->exchange == NULL ? 0 : RELAY_V1_ENVELOPE_SIZE;
}

/* Behind its head. The room is never made larger: copies of a token would be left behind. */
static void make_control_room(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    size_t len = ws->frame.fin ? (size_t)ws->message_len : RELAY_V1_CONTROL_MAX;

    CHECK(ws->message == NULL && len > envelope_size(ws));
    ws->message = message_room_for_control(conn->worker, ws->topic, len - envelope_size(ws));
    if (ws->message == NULL) {
        counters_increment(&conn->worker->counters, v1_controls_ignored);
        ws->discarding = true;
    }
}

static void make_room(struct conn *conn, size_t here)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->exchange != NULL && exchange_is_control(ws->exchange)) {
        make_control_room(conn);
        return;
    }
    size_t arrived = ws->message == NULL ? 0 : ws->message->payload_len;
    size_t room_max =
        ws->frame.fin ? (size_t)ws->message_len - envelope_size(ws) : MESSAGE_BYTES_MAX;

    switch (message_room_take(conn->worker, ws->topic, &ws->message,
                              message_room_for(arrived, here, room_max))) {
    case MESSAGE_ROOM_OK:
        return;
    case MESSAGE_ROOM_OVER_SHARE:
        counters_increment(&conn->worker->counters, messages_dropped_share);
        discard_message(conn, ALARM_MESSAGE_SHARE);
        return;
    case MESSAGE_ROOM_NO_MEMORY:
        counters_increment(&conn->worker->counters, messages_dropped_memory);
        discard_message(conn, ALARM_MESSAGE_MEMORY);
    }
}

/* Its bytes go to other connections, if it may publish. */
static void begin_payload(struct conn *conn, enum ws_opcode opcode)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->opcode = opcode;
    ws->checks_text = opcode == WS_OPCODE_TEXT &&
                      conn->table->shared->config->text_utf8 == CONFIG_TEXT_UTF8_CHECK;
    utf8_stream_init(&ws->text);
    if (!ws->can_write) {
        counters_increment(&conn->worker->counters, messages_discarded_readonly);
        ws->discarding = true;
    }
}

static void begin_message(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->message_len = 0;
    ws->discarding = false;
    if (ws->exchange == NULL) {
        begin_payload(conn, ws->frame.opcode);
    } else if (ws->frame.opcode == WS_OPCODE_BINARY) {
        ws->checks_text = false;
        exchange_begin_message(ws->exchange);
    } else {
        fail_protocol(conn, "relay.v1: messages are binary");
    }
}

/* A control message is short, and the first frame may be too short to tell. */
static bool is_too_big(const struct phase_websocket *ws)
{
    size_t len_max = ws->exchange != NULL && exchange_is_control(ws->exchange)
                         ? RELAY_V1_CONTROL_MAX
                         : MESSAGE_BYTES_MAX + envelope_size(ws);

    return ws->message_len > len_max;
}

static void begin_data_frame(struct conn *conn, size_t here)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->frame.opcode != WS_OPCODE_CONTINUATION) {
        begin_message(conn);
    }
    if (conn->phase != PHASE_WEBSOCKET) {
        return;
    }
    if (ws->frame.payload_len > MESSAGE_BYTES_MAX + envelope_size(ws) - ws->message_len) {
        close_frame_say(conn, CLOSE_TOO_BIG, "");
        return;
    }
    ws->message_len += ws->frame.payload_len;
    if (is_too_big(ws)) {
        close_frame_say(conn, CLOSE_TOO_BIG, "");
    } else if (ws->message == NULL && !ws->discarding && ws->exchange == NULL) {
        make_room(conn, here < ws->frame.payload_len ? here : (size_t)ws->frame.payload_len);
    }
}

static void begin_frame(struct conn *conn, size_t here)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->in_payload = true;
    ws->payload_done = 0;
    if (!is_control(ws->frame.opcode)) {
        begin_data_frame(conn, here);
    } else if (ws->frame.payload_len > 0) {
        control_frame_begin(conn);
    }
}

/* A connection that may not publish sends nothing on to others, however fast. */
static bool is_too_fast(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    const struct publish_rate *rate = conn->table->shared->publish_rate;

    return ws->can_write && rate != NULL &&
           !publish_meter_take(&ws->meter, rate, conn->worker->now_ms, ws->message_len);
}

static void close_too_fast(struct conn *conn)
{
    worker_alarm_about(conn->worker, ALARM_PUBLISH_RATE, "topic",
                       phase_websocket_of(conn)->topic->name);
    close_frame_say(conn, CLOSE_TOO_FAST, "published faster than this relay allows");
}

static void publish(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *message = ws->message;

    size_t len = (size_t)ws->message_len - envelope_size(ws);
    uint32_t sequence = (uint32_t)ws->messages_received;

    ws->message = NULL;
    ws->assembly_started_ms = 0;
    ws->messages_received++;
    ws->bytes_received += len;
    ws->last_received_ms = conn->worker->now_ms;
    ws->first_received_ms =
        ws->first_received_ms == 0 ? ws->last_received_ms : ws->first_received_ms;
    counters_increment(&conn->worker->counters, messages_received);
    counters_add(&conn->worker->counters, bytes_received, len);
    topic_counts_receive(conn->subscriber.counts, len, conn->worker->now_ms);
    if (message == NULL) {
        CHECK(ws->discarding);
        return;
    }
    if (!attendance_may_publish(conn)) {
        share_unref(conn->worker, &message->home_share);
        return;
    }
    attendance_stamp(conn, message, sequence);
    message_frame(message, ws->opcode);
    recogniser_take(&ws->recogniser, conn->worker, message);
    if (ws->topic == conn->table->shared->stats_topic) {
        conn->table->shared->on_command(conn->worker,
                                        bytes_of(message->payload, message->payload_len));
    }
    fanout_publish(conn->worker, ws->topic, message, &conn->subscriber,
                   &conn->table->shared->bounds);
}

static void end_payload(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->checks_text && !ws->discarding && !utf8_stream_is_whole(&ws->text)) {
        fail_text(conn);
    } else if (is_too_fast(conn)) {
        close_too_fast(conn);
    } else {
        publish(conn);
    }
}

static void end_control_message(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct message *body = ws->message;

    ws->message = NULL;
    ws->assembly_started_ms = 0;
    if (ws->discarding) {
        return;
    }
    exchange_on_control(conn, body == NULL ? bytes_of(NULL, 0)
                                           : bytes_of(body->payload, body->payload_len));
    if (body != NULL) {
        share_unref(conn->worker, &body->home_share);
    }
}

/* A message of relay.v1. */
static void end_enveloped(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (exchange_is_control(ws->exchange)) {
        end_control_message(conn);
        return;
    }
    if (!exchange_has_envelope(ws->exchange)) {
        fail_protocol(conn, "relay.v1: message shorter than its envelope");
        return;
    }
    if (ws->message == NULL && !ws->discarding) {
        make_room(conn, 0); /* it is empty */
    }
    end_payload(conn);
}

static void end_frame(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->in_payload = false;
    if (is_control(ws->frame.opcode)) {
        control_frame_end(conn);
    } else if (ws->frame.fin && ws->exchange != NULL) {
        end_enveloped(conn);
    } else if (ws->frame.fin) {
        end_payload(conn);
    }
}

/* They are in their place in the message. Text is checked, which may end the connection. */
static void add_data(struct conn *conn, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->message->payload_len += (uint32_t)bytes.len;
    if (ws->checks_text && !utf8_stream_take(&ws->text, bytes)) {
        fail_text(conn);
    }
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
    add_data(conn, bytes_of(target, len));
    return len;
}

/* The envelope in front of a payload, or a control message's first bytes. */
static size_t take_head(struct conn *conn, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    size_t len = exchange_take_head(ws->exchange, bytes, ws->frame.mask, ws->payload_done);

    if (is_too_big(ws)) {
        close_frame_say(conn, CLOSE_TOO_BIG, "");
    } else if (len > 0 && exchange_has_envelope(ws->exchange)) {
        begin_payload(conn, exchange_says_text(ws->exchange) ? WS_OPCODE_TEXT : WS_OPCODE_BINARY);
    }
    return len;
}

static size_t take_message(struct conn *conn, struct bytes bytes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (ws->exchange != NULL && exchange_wants_head(ws->exchange)) {
        return take_head(conn, bytes);
    }
    if (!ws->discarding &&
        (ws->message == NULL || ws->message->payload_len == ws->message->payload_capacity)) {
        make_room(conn, bytes.len);
    }
    return ws->discarding ? bytes.len : take_data(conn, bytes);
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
        ws_mask_copy(ws->control + ws->payload_done, bytes.data, len, ws->frame.mask,
                     ws->payload_done);
    } else {
        len = take_message(conn, bytes_of(bytes.data, len));
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
        begin_frame(conn, bytes->len);
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

static void spend(struct conn *conn, uint32_t units_before, uint32_t cost)
{
    pace_spend(&phase_websocket_of(conn)->pace, cost);
    if (units_before >= PACE_SLICE) {
        conn->table->burst_spent += cost;
    }
}

static struct underway *underway_of(const struct conn *conn)
{
    return &phase_websocket_seen(conn)->topic->parts[conn->worker->index].underway;
}

/* Other workers keep up with what is published here. Bytes that are not published need no room. */
static bool has_room(const struct conn *conn)
{
    return !phase_websocket_seen(conn)->can_write || underway_has_room(underway_of(conn));
}

enum service {
    SERVICE_CREDIT, /* while it has credit, and there is some of all in this turn */
    SERVICE_SLICE,  /* in its turn: one slice of a flood */
    SERVICE_ALL,    /* it cannot wait */
};

static bool may_go_on(struct conn *conn, enum service service, uint32_t units)
{
    switch (service) {
    case SERVICE_CREDIT:
        return pace_has_credit(&phase_websocket_of(conn)->pace, conn->worker->now_ms) &&
               pace_has_turn(units, conn->table->burst_spent) && has_room(conn);
    case SERVICE_SLICE:
        return units < PACE_SLICE && has_room(conn);
    case SERVICE_ALL:
        return true;
    }
    UNREACHABLE();
}

/* Processes frames while they may be. Returns what is left. */
static struct bytes take_frames(struct conn *conn, struct bytes bytes, enum service service)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint32_t cost = pace_units(ws->topic->parts[conn->worker->index].subscribers_count);
    uint32_t units = 0;
    bool more = bytes.len > 0;

    while (more && may_go_on(conn, service, units)) {
        if (!ws->in_payload) {
            spend(conn, units, cost);
            units += cost;
        }
        more = step(conn, &bytes);
    }
    return more ? bytes : bytes_of(NULL, 0);
}

static void watch_assembly(struct conn *conn)
{
    if (conn->phase == PHASE_WEBSOCKET && phase_websocket_of(conn)->message != NULL) {
        deadlines_begin_message(conn);
    }
}

static void await_turn(struct conn *conn)
{
    list_append(&conn->table->paced, &conn->paced_node);
}

static void websocket_on_room(struct subscriber *subscriber)
{
    await_turn(container_of(subscriber, struct conn, subscriber));
}

static void await_room(struct conn *conn)
{
    counters_increment(&conn->worker->counters, publishers_held);
    underway_await_room(underway_of(conn), &conn->subscriber);
}

/* Out of credit: others are served first, and nothing more is received until then. Without room
 * its messages would take more memory than its bytes do. False: there is no memory for that. */
static bool keep_for_later(struct conn *conn, struct bytes bytes)
{
    struct inbox *inbox = &phase_websocket_of(conn)->inbox;
    bool is_first = inbox_is_empty(inbox) && !conn->is_held;

    /* Live messages need the memory more than floods do. */
    if (is_first && has_room(conn) &&
        !worker_memory_has_half(conn->worker, conn->worker->index, 0)) {
        return false;
    }
    if (!inbox_add(inbox, &conn->worker->blocks, bytes)) {
        return false;
    }
    if (is_first && !has_room(conn)) {
        await_room(conn);
    } else if (is_first) {
        counters_increment(&conn->worker->counters, publishers_paced);
        await_turn(conn);
    }
    return true;
}

/* The order of bytes is kept: all that was kept before is processed first. */
static void take_all(struct conn *conn, struct bytes bytes)
{
    struct inbox inbox = phase_websocket_of(conn)->inbox;
    struct bytes kept = inbox_bytes(&inbox);

    phase_websocket_of(conn)->inbox = (struct inbox){0};
    stop_waiting(conn);
    take_frames(conn, kept, SERVICE_ALL);
    inbox_clear(&inbox, &conn->worker->blocks);
    if (conn->phase == PHASE_WEBSOCKET) {
        take_frames(conn, bytes, SERVICE_ALL);
    }
}

static void websocket_on_bytes(struct conn *conn, struct bytes bytes)
{
    if (inbox_is_empty(&phase_websocket_of(conn)->inbox) && !conn->is_held) {
        bytes = take_frames(conn, bytes, SERVICE_CREDIT);
    }
    if (bytes.len > 0 && !keep_for_later(conn, bytes)) {
        take_all(conn, bytes);
    }
    watch_assembly(conn);
}

static bool websocket_place(struct conn *conn, struct receive_place *ret_place)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    return ws->in_payload && !ws->discarding && ws->message != NULL && has_room(conn) &&
           message_room_place(ws->message, ws->frame.payload_len - ws->payload_done, ret_place);
}

static void websocket_on_placed(struct conn *conn, size_t len)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint8_t *bytes = ws->message->payload + ws->message->payload_len;

    ws_mask_apply(bytes, len, ws->frame.mask, ws->payload_done);
    add_data(conn, bytes_of(bytes, len));
    if (conn->phase == PHASE_WEBSOCKET) {
        ws->payload_done += len;
        if (ws->payload_done == ws->frame.payload_len) {
            end_frame(conn);
        }
    }
}

static bool websocket_wants_bytes(const struct conn *conn)
{
    return inbox_is_empty(&phase_websocket_seen(conn)->inbox);
}

/* With so many bytes in its inbox. */
static void go_on(struct conn *conn, size_t left)
{
    if (left > 0 && !has_room(conn)) {
        await_room(conn);
    } else if (left > 0) {
        await_turn(conn);
    } else if (conn->peer_ended) {
        conn_phase_ops(conn)->on_eof(conn);
    } else {
        conn_receive_start(conn);
    }
}

static void websocket_on_resumed(struct conn *conn)
{
    if (phase_websocket_of(conn)->exchange != NULL) {
        exchange_resume(phase_websocket_of(conn)->exchange);
    }
    deadlines_resume(conn);
    go_on(conn, inbox_bytes(&phase_websocket_of(conn)->inbox).len);
}

static void websocket_on_turn(struct conn *conn)
{
    struct inbox inbox = phase_websocket_of(conn)->inbox;
    struct block_pool *pool = &conn->worker->blocks;

    /* A frame may end the phase, which would free it while it is in use. */
    phase_websocket_of(conn)->inbox = (struct inbox){0};
    struct bytes left = take_frames(conn, inbox_bytes(&inbox), SERVICE_SLICE);

    if (conn->phase != PHASE_WEBSOCKET) {
        inbox_clear(&inbox, pool);
        return;
    }
    inbox_skip(&inbox, pool, inbox_bytes(&inbox).len - left.len);
    phase_websocket_of(conn)->inbox = inbox;
    watch_assembly(conn);
    go_on(conn, left.len);
}

/* Without a Close it is an abrupt end, and no peer waits for what is queued. A peer that ended only
 * its own direction is told by close_notify that ours was not cut off. */
static void websocket_on_eof(struct conn *conn)
{
    if (!websocket_wants_bytes(conn)) {
        return; /* the turn ends it */
    }
    if (conn->transport->notify == NULL) {
        conn_close_now(conn, CLOSE_BY_PEER);
        return;
    }
    drop_policy_drop_waiting(&conn->subscriber.queue, conn->worker);
    conn_close_begin(conn, CLOSE_BY_PEER);
}

static void websocket_on_deadline(struct conn *conn)
{
    if (conn_send_stalled(conn)) {
        conn_close_now(conn, CLOSE_SEND_STALLED);
    } else if (conn->send_op.in_flight) {
        drop_policy_drop_old(&conn->subscriber, conn->worker, &conn->table->shared->bounds);
        timer_arm(&conn->worker->timers, &conn->deadline, conn_send_look_ms(conn));
    }
}

static void websocket_on_end(struct conn *conn, enum close_reason reason)
{
    switch (reason) {
    case CLOSE_DRAIN:
        close_frame_say(conn, reason, "server is stopping");
        return;
    case CLOSE_DENIED:
        close_frame_say(conn, reason, "booking cancelled");
        return;
    default:
        CHECK(reason == CLOSE_REKEY);
        close_frame_say(conn, reason, "re-key not supported by this kernel, reconnect");
    }
}

const struct phase_ops phase_websocket_ops = {
    .on_bytes = websocket_on_bytes,
    .wants_bytes = websocket_wants_bytes,
    .place = websocket_place,
    .on_placed = websocket_on_placed,
    .on_turn = websocket_on_turn,
    .on_eof = websocket_on_eof,
    .on_deadline = websocket_on_deadline,
    .on_failed = conn_close_now,
    .on_end = websocket_on_end,
    .on_resumed = websocket_on_resumed,
    .on_leave = websocket_on_leave,
};
