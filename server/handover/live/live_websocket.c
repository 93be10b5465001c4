#include "server/handover/live/live_websocket.h"

#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/transport.h"
#include "server/handover/live/live_conn.h"
#include "server/handover/live/live_exchange.h"
#include "server/handover/live/live_fault.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/handover/live/live_tls.h"
#include "server/hub/v1/envelopes.h"
#include "server/websocket/phase_websocket.h"
#include "wire/media/probe_state.h"

enum {
    FIELDS_BYTES = 4096 + sizeof(struct stream_probe), /* of its record, without what follows */
    HEADROOM_BYTES = RELAY_V1_ENVELOPE_SIZE,
};

#define TIME_S_MAX                (UINT64_C(1) << 53)
#define METER_MAX                 (UINT64_C(1) << 60)
#define CONN_COUNT(member, id)    LIVE_SCALAR_COUNT(struct conn, member, LIVE_WEBSOCKET_##id)
#define CONN_PAST(member, id)     LIVE_SCALAR_PAST(struct conn, member, LIVE_WEBSOCKET_##id)
#define CONN_UP_TO(member, id, m) LIVE_SCALAR_NUMBER(struct conn, member, LIVE_WEBSOCKET_##id, m)

#define LAG_STREAM(number)                                                                         \
    CONN_COUNT(subscriber.lag.streams[number].id, STREAM_##number),                                \
        CONN_UP_TO(subscriber.lag.streams[number].state, STREAM_##number + 1,                      \
                   LAG_STREAM_AWAITS_KEY),                                                         \
        CONN_UP_TO(subscriber.lag.streams[number].leading, STREAM_##number + 2, LEADING_DROPPED),  \
        CONN_UP_TO(subscriber.lag.streams[number].has_keys, STREAM_##number + 3, 1),               \
        CONN_PAST(subscriber.lag.streams[number].cut_ms, STREAM_##number + 4)

static const struct live_scalar of_lag[] = {
    CONN_PAST(subscriber.awaits_since_ms, AWAITS_SINCE_MS),
    CONN_UP_TO(subscriber.lag.recovery, RECOVERY, LAG_RECOVER_NONE),
    CONN_COUNT(subscriber.lag.age_ms_max, AGE_MS_MAX),
    CONN_COUNT(subscriber.lag.dropped[LAG_POLICY_DATA], DROPPED_DATA),
    CONN_COUNT(subscriber.lag.dropped[LAG_POLICY_VIDEO], DROPPED_VIDEO),
    CONN_COUNT(subscriber.lag.dropped[LAG_POLICY_LATEST], DROPPED_LATEST),
    CONN_COUNT(subscriber.lag.behind_ms, BEHIND_MS),
    CONN_PAST(subscriber.lag.skipped_ms, SKIPPED_MS),
    LIVE_SCALAR_DUE(struct conn, subscriber.lag.begins_until_ms, LIVE_WEBSOCKET_BEGINS_UNTIL_MS),
    CONN_UP_TO(subscriber.lag.stream_next, STREAM_NEXT, LAG_STREAMS_MAX - 1),
    LAG_STREAM(0),
    LAG_STREAM(1),
};

#define WS_COUNT(member, id) LIVE_SCALAR_COUNT(struct phase_websocket, member, LIVE_WEBSOCKET_##id)
#define WS_BOOL(member, id)  LIVE_SCALAR_BOOL(struct phase_websocket, member, LIVE_WEBSOCKET_##id)
#define WS_PAST(member, id)  LIVE_SCALAR_PAST(struct phase_websocket, member, LIVE_WEBSOCKET_##id)
#define WS_DUE(member, id)   LIVE_SCALAR_DUE(struct phase_websocket, member, LIVE_WEBSOCKET_##id)
#define WS_UP_TO(member, id, m)                                                                    \
    LIVE_SCALAR_NUMBER(struct phase_websocket, member, LIVE_WEBSOCKET_##id, m)
#define WS_SIGNED(member, id, m)                                                                   \
    LIVE_SCALAR(struct phase_websocket, member, LIVE_WEBSOCKET_##id, LIVE_SIGNED, m)

static const struct live_scalar of_phase[] = {
    WS_UP_TO(pace.credit, CREDIT, PACE_BURST),
    WS_PAST(pace.credited_ms, CREDITED_MS),
    WS_SIGNED(meter.bytes, METER_BYTES, METER_MAX),
    WS_SIGNED(meter.messages, METER_MESSAGES, METER_MAX),
    WS_PAST(meter.filled_ms, METER_FILLED_MS),
    WS_BOOL(parser.in_message, IN_MESSAGE),
    WS_BOOL(frame.fin, FRAME_FIN),
    WS_UP_TO(frame.opcode, FRAME_OPCODE, WS_OPCODE_PONG),
    WS_UP_TO(frame.payload_len, FRAME_LEN, MESSAGE_BYTES_MAX + HEADROOM_BYTES),
    WS_COUNT(payload_done, PAYLOAD_DONE),
    WS_BOOL(in_payload, IN_PAYLOAD),
    WS_BOOL(discarding, DISCARDING),
    WS_UP_TO(opcode, OPCODE, WS_OPCODE_BINARY),
    WS_BOOL(checks_text, CHECKS_TEXT),
    WS_UP_TO(text.left, TEXT_LEFT, 3),
    WS_COUNT(text.low, TEXT_LOW),
    WS_COUNT(text.high, TEXT_HIGH),
    WS_COUNT(recogniser.messages, LOOKED_AT),
    WS_COUNT(recogniser.stream, STREAM),
    WS_BOOL(recogniser.follows_disposable, FOLLOWS_DISPOSABLE),
    WS_UP_TO(message_len, MESSAGE_LEN, MESSAGE_BYTES_MAX + HEADROOM_BYTES),
    WS_PAST(assembly_started_ms, ASSEMBLY_STARTED_MS),
    WS_SIGNED(exp_s, EXP_S, TIME_S_MAX),
    WS_BOOL(can_read, CAN_READ),
    WS_BOOL(can_write, CAN_WRITE),
    WS_BOOL(has_published, HAS_PUBLISHED),
    WS_COUNT(source, SOURCE),
    WS_PAST(losses.began_ms, LOSSES_BEGAN_MS),
    WS_COUNT(losses.before, LOSSES_BEFORE),
    WS_COUNT(losses.seen, LOSSES_SEEN),
    WS_BOOL(losses.are_too_many, LOSSES_TOO_MANY),
    WS_PAST(opened_ms, OPENED_MS),
    WS_SIGNED(opened_s, OPENED_S, TIME_S_MAX),
    WS_DUE(ping_due_ms, PING_DUE_MS),
    WS_DUE(pong_due_ms, PONG_DUE_MS),
    WS_BOOL(pong_is_graced, PONG_IS_GRACED),
    WS_COUNT(messages_received, MESSAGES_RECEIVED),
    WS_COUNT(bytes_received, BYTES_RECEIVED),
    WS_PAST(first_received_ms, FIRST_RECEIVED_MS),
    WS_PAST(last_received_ms, LAST_RECEIVED_MS),
};

#define IDENTITY_TEXT(member, id, size)                                                            \
    {                                                                                              \
        LIVE_WEBSOCKET_##id, offsetof(struct identity, member), (size)                             \
    }

/* With the NUL none is longer. */
static const struct text {
    uint16_t id, offset, size;
} texts[] = {
    IDENTITY_TEXT(booking_id, BOOKING_ID, TOKEN_TEXT_SIZE),
    IDENTITY_TEXT(scopes_json, SCOPES, PERMISSION_SCOPES_SIZE),
    IDENTITY_TEXT(user_agent, USER_AGENT, USER_AGENT_SIZE),
    IDENTITY_TEXT(remote_address, REMOTE_ADDRESS, REMOTE_ADDRESS_SIZE),
    IDENTITY_TEXT(reported_address, REPORTED_ADDRESS, REPORTED_ADDRESS_SIZE),
};

/* Writing */

bool live_websocket_may_move(const struct conn *conn)
{
    return conn->phase == PHASE_WEBSOCKET && live_conn_may_move(conn) &&
           conn->subscriber.queue.count <= LIVE_QUEUE_ENTRIES_MAX;
}

size_t live_websocket_size(const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    size_t begun_len = ws->message == NULL ? 0 : ws->message->payload_len;

    return FIELDS_BYTES + begun_len + inbox_bytes(&ws->inbox).len +
           live_queue_size(&conn->subscriber.queue) + live_tls_size(conn) + LIVE_EXCHANGE_BYTES;
}

static void write_conn(struct handover_writer *writer, const struct live_census *census,
                       const struct conn *conn)
{
    const struct worker *worker = conn->worker;

    handover_writer_number(writer, LIVE_WEBSOCKET_TOPIC,
                           live_census_topic(census, phase_websocket_seen(conn)->topic));
    live_conn_write(writer, conn);
    handover_writer_number(writer, LIVE_WEBSOCKET_AWAITS_KEY,
                           conn->subscriber.state == SUBSCRIBER_AWAITS_KEY);
    live_scalars_write(writer, of_lag, ARRAY_LENGTH(of_lag), conn, worker);
}

static void write_texts(struct handover_writer *writer, const struct identity *identity)
{
    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        const char *text;

        memcpy(&text, (const char *)identity + texts[i].offset, sizeof text);
        handover_writer_bytes(writer, texts[i].id, bytes_of_text(text));
    }
}

/* As much as has come of its payload. */
static struct bytes control_of(const struct phase_websocket *ws)
{
    return ws->control == NULL ? bytes_of(NULL, 0)
                               : bytes_of(ws->control, (size_t)ws->payload_done);
}

static void write_received(struct handover_writer *writer, const struct phase_websocket *ws)
{
    handover_writer_bytes(writer, LIVE_WEBSOCKET_FRAME_HEADER,
                          bytes_of(ws->parser.header, ws->parser.header_len));
    handover_writer_bytes(writer, LIVE_WEBSOCKET_FRAME_MASK,
                          bytes_of(ws->frame.mask, sizeof ws->frame.mask));
    handover_writer_bytes(writer, LIVE_WEBSOCKET_CONTROL, control_of(ws));
    handover_writer_bytes(writer, LIVE_WEBSOCKET_INBOX, inbox_bytes(&ws->inbox));
    if (ws->message != NULL) {
        handover_writer_bytes(writer, LIVE_WEBSOCKET_BEGUN,
                              bytes_of(ws->message->payload, ws->message->payload_len));
        handover_writer_number(writer, LIVE_WEBSOCKET_BEGUN_ROOM, ws->message->payload_capacity);
    }
}

static void write_probe(struct handover_writer *writer, const struct stream_probe *probe)
{
    if (probe != NULL) {
        handover_writer_bytes(writer, LIVE_WEBSOCKET_PROBE, bytes_of(probe, sizeof *probe));
        handover_writer_number(writer, LIVE_WEBSOCKET_PROBE_LAYOUT, PROBE_STATE_LAYOUT);
    }
}

bool live_websocket_write(struct handover_writer *writer, const struct live_census *census,
                          const struct conn *conn)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    const struct send_queue *queue = &conn->subscriber.queue;

    handover_writer_begin(writer, LIVE_KIND_WEBSOCKET, 1);
    write_conn(writer, census, conn);
    live_scalars_write(writer, of_phase, ARRAY_LENGTH(of_phase), ws, conn->worker);
    write_texts(writer, &ws->identity);
    write_received(writer, ws);
    bool is_written = live_queue_write(writer, LIVE_WEBSOCKET_QUEUE, census, queue);

    handover_writer_number(writer, LIVE_WEBSOCKET_SENT_OFFSET, queue->sent_offset);
    handover_writer_number(writer, LIVE_WEBSOCKET_IN_FLIGHT, queue->in_flight);
    write_probe(writer, ws->recogniser.probe);
    live_tls_write(writer, conn);
    live_exchange_write(writer, conn);
    return handover_writer_end(writer) && is_written;
}

/* Reading */

struct reading {
    const struct handover_record *record;
    struct conn_table *table;
    const struct live_messages *messages;
    const char *error;
};

static struct bytes field(const struct reading *reading, uint16_t id)
{
    struct bytes bytes;

    return handover_reader_bytes(reading->record, id, &bytes) ? bytes : bytes_of(NULL, 0);
}

static bool read_identity(const struct reading *reading, struct identity *ret_identity)
{
    char copies[ARRAY_LENGTH(texts)][TOKEN_TEXT_SIZE];
    struct identity identity = {0};

    for (size_t i = 0; i < ARRAY_LENGTH(texts); i++) {
        struct bytes bytes = field(reading, texts[i].id);
        const char *copy = copies[i];

        if (bytes_find(bytes, '\0') < bytes.len ||
            bytes_to_text(bytes, copies[i], texts[i].size) != 0) {
            return false;
        }
        memcpy((char *)&identity + texts[i].offset, &copy, sizeof copy);
    }
    return identity_init(ret_identity, &identity);
}

static bool is_opcode(enum ws_opcode opcode)
{
    return opcode <= WS_OPCODE_BINARY || (opcode >= WS_OPCODE_CLOSE && opcode <= WS_OPCODE_PONG);
}

/* Bytes of the next frame's header are parsed as they were before. */
static bool read_header(const struct reading *reading, struct phase_websocket *ws)
{
    struct bytes header = field(reading, LIVE_WEBSOCKET_FRAME_HEADER);
    struct ws_frame frame;

    ws->parser.sender = WS_ROLE_CLIENT;
    return header.len == 0 || (!ws->in_payload && header.len < WS_HEADER_BYTES_MAX &&
                               ws_frame_parse(&ws->parser, &header, &frame) == WS_FRAME_MORE);
}

static bool read_frame(const struct reading *reading, struct phase_websocket *ws)
{
    struct bytes mask = field(reading, LIVE_WEBSOCKET_FRAME_MASK);
    size_t control_len = field(reading, LIVE_WEBSOCKET_CONTROL).len;
    bool is_control = ws->frame.opcode >= WS_OPCODE_CLOSE;

    if (mask.len != sizeof ws->frame.mask || !is_opcode(ws->frame.opcode) ||
        ws->payload_done > ws->frame.payload_len ||
        (is_control && ws->frame.payload_len > WS_CONTROL_PAYLOAD_MAX) ||
        control_len != (ws->in_payload && is_control ? ws->payload_done : 0)) {
        return false;
    }
    memcpy(ws->frame.mask, mask.data, mask.len);
    return read_header(reading, ws);
}

/* A message that was begun has as many bytes as were taken, its head included. */
static bool has_begun_soundly(const struct reading *reading, const struct phase_websocket *ws)
{
    struct bytes head = live_exchange_envelope(reading->record), begun;
    bool is_v1 = head.data != NULL;
    bool is_control = is_v1 && head.len > 0 && !relay_v1_is_payload(head.data[0]);
    bool has_some = handover_reader_bytes(reading->record, LIVE_WEBSOCKET_BEGUN, &begun);
    bool in_data = ws->in_payload && ws->frame.opcode < WS_OPCODE_CLOSE;
    uint64_t left = in_data ? ws->frame.payload_len - ws->payload_done : 0;
    uint64_t got = (in_data || ws->parser.in_message ? head.len : 0) + (has_some ? begun.len : 0);

    if (!in_data && !ws->parser.in_message) {
        return !has_some;
    }
    if (ws->discarding) {
        return !has_some && ws->message_len >= head.len + left;
    }
    return ws->message_len == got + left && (is_v1 || has_some) &&
           (ws->can_write || is_control || head.len < RELAY_V1_ENVELOPE_SIZE) &&
           (ws->can_write || is_v1) && (!is_control || got + left <= RELAY_V1_CONTROL_MAX);
}

static bool read_phase(struct reading *reading, const struct live_topics *topics,
                       struct phase_websocket *ret_ws)
{
    uint64_t topic;

    *ret_ws = (struct phase_websocket){.pong_due_ms = NO_PONG_DUE};
    if (!live_scalars_read(reading->record, of_phase, ARRAY_LENGTH(of_phase), ret_ws,
                           reading->table->worker) ||
        !read_frame(reading, ret_ws) || !has_begun_soundly(reading, ret_ws) ||
        (!ret_ws->can_read && !ret_ws->can_write) ||
        !handover_reader_number(reading->record, LIVE_WEBSOCKET_TOPIC, &topic) ||
        topic >= topics->count || !read_identity(reading, &ret_ws->identity)) {
        return live_fault_set(&reading->error, "a WebSocket is none, or there is no memory for it");
    }
    ret_ws->topic = topics->all[topic];
    return true;
}

static bool take_place(const struct reading *reading, const struct phase_websocket *ws)
{
    struct permission permission = {.can_read = ws->can_read, .can_write = ws->can_write};

    memcpy(permission.booking_id, ws->identity.booking_id, strlen(ws->identity.booking_id) + 1);
    memcpy(permission.topic, ws->topic->name, strlen(ws->topic->name) + 1);
    return places_take(reading->table->shared->access.places, &permission) == 0;
}

static struct conn *make(struct reading *reading, int fd, const struct phase_websocket *ws)
{
    if (!take_place(reading, ws)) {
        reading->error = "there are fewer places for WebSockets";
        return NULL;
    }
    struct conn *conn = live_conn_make(reading->record, reading->table, fd, &reading->error);

    if (conn == NULL) {
        places_give(reading->table->shared->access.places, ws->identity.booking_id,
                    ws->topic->name);
        return NULL;
    }
    topic_ref(ws->topic);
    phase_websocket_restore(conn, ws);
    return conn;
}

static bool read_conn(struct reading *reading, struct conn *conn)
{
    uint64_t awaits_key = 0;

    (void)!handover_reader_number(reading->record, LIVE_WEBSOCKET_AWAITS_KEY, &awaits_key);
    conn->subscriber.state = awaits_key == 0 ? SUBSCRIBER_LIVE : SUBSCRIBER_AWAITS_KEY;
    return (live_conn_read(reading->record, conn) &&
            live_scalars_read(reading->record, of_lag, ARRAY_LENGTH(of_lag), conn, conn->worker)) ||
           live_fault_set(&reading->error, "a connection is none");
}

static bool read_inbox(struct reading *reading, struct conn *conn)
{
    return inbox_add(&phase_websocket_of(conn)->inbox, &conn->worker->blocks,
                     field(reading, LIVE_WEBSOCKET_INBOX)) ||
           live_fault_set(&reading->error, "no memory for what was received");
}

static bool read_control(struct reading *reading, struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct bytes control = field(reading, LIVE_WEBSOCKET_CONTROL);

    if (!ws->in_payload || ws->frame.opcode < WS_OPCODE_CLOSE || ws->frame.payload_len == 0) {
        return true;
    }
    ws->control = malloc((size_t)ws->frame.payload_len);
    if (ws->control == NULL) {
        return live_fault_set(&reading->error, "no memory for a control frame");
    }
    if (control.len > 0) {
        memcpy(ws->control, control.data, control.len);
    }
    return true;
}

/* One of another layout is left out: then a new stream is looked for. */
static void read_probe(const struct reading *reading, struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct stream_probe probe;
    uint64_t layout = 0;

    (void)!handover_reader_number(reading->record, LIVE_WEBSOCKET_PROBE_LAYOUT, &layout);
    if (layout == PROBE_STATE_LAYOUT &&
        probe_state_read(field(reading, LIVE_WEBSOCKET_PROBE), &probe)) {
        recogniser_restore(&ws->recogniser, conn->worker, ws->topic, &probe);
    } else {
        ws->recogniser.stream = 0;
    }
}

/* That of a control message of relay.v1 is never made larger. */
static struct message *make_begun(const struct conn *conn, size_t len, uint64_t room)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    bool is_control = ws->exchange != NULL && exchange_is_control(ws->exchange);
    size_t room_max = is_control ? RELAY_V1_CONTROL_MAX : MESSAGE_BYTES_MAX;
    size_t room_taken = is_control || room > room_max ? room_max : (size_t)room;
    struct message *message = message_create(conn->worker, room_taken > len ? room_taken : len);

    if (message != NULL) {
        message->is_secret = is_control;
        message_charge(conn->worker, message, ws->topic);
    }
    return message;
}

static bool read_begun(struct reading *reading, struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct bytes begun;
    uint64_t room = 0;

    if (!handover_reader_bytes(reading->record, LIVE_WEBSOCKET_BEGUN, &begun)) {
        return true;
    }
    (void)!handover_reader_number(reading->record, LIVE_WEBSOCKET_BEGUN_ROOM, &room);
    ws->message = make_begun(conn, begun.len, room);
    if (ws->message == NULL) {
        return live_fault_set(&reading->error, "no memory for a message that was begun");
    }
    if (begun.len > 0) {
        memcpy(ws->message->payload, begun.data, begun.len);
    }
    ws->message->payload_len = (uint32_t)begun.len;
    return true;
}

static bool read_exchange(struct reading *reading, struct conn *conn)
{
    return live_exchange_read(reading->record, conn) ||
           live_fault_set(&reading->error,
                          "a connection of relay.v1 is none, or there is no memory for it");
}

/* Bytes of an entry that is in flight or begun. */
static size_t frame_len(const struct send_queue *queue, unsigned place)
{
    const struct send_entry *entry = send_queue_entry(queue, place);

    return queue->envelopes == NULL ? send_entry_len(entry)
                                    : envelopes_frame_len(queue->envelopes, place, entry);
}

/* Bytes of its first entries that are in flight, or still to be sent of the first one. */
static size_t in_flight_bytes(const struct send_queue *queue)
{
    size_t bytes = 0;

    for (unsigned i = 0; i < queue->in_flight; i++) {
        bytes += frame_len(queue, i);
    }
    return bytes - queue->sent_offset;
}

static bool read_queue(struct reading *reading, struct conn *conn)
{
    struct send_queue *queue = &conn->subscriber.queue;
    uint64_t sent = 0, in_flight = 0;

    if (!live_queue_read(field(reading, LIVE_WEBSOCKET_QUEUE), conn->worker,
                         phase_websocket_of(conn)->topic, reading->messages, queue)) {
        return live_fault_set(&reading->error, "a queue is none, or there is no memory for it");
    }
    (void)!handover_reader_number(reading->record, LIVE_WEBSOCKET_SENT_OFFSET, &sent);
    (void)!handover_reader_number(reading->record, LIVE_WEBSOCKET_IN_FLIGHT, &in_flight);
    if (in_flight > queue->count || (sent > 0 && queue->count == 0) || sent > UINT32_MAX) {
        return live_fault_set(&reading->error, "a queue is none");
    }
    queue->sent_offset = (uint32_t)sent;
    queue->in_flight = (uint16_t)in_flight;
    return (live_exchange_read_heads(reading->record, conn) &&
            (sent == 0 || sent < frame_len(queue, 0))) ||
           live_fault_set(&reading->error, "a queue is none");
}

static bool read_transport(struct reading *reading, struct conn *conn)
{
    const struct send_queue *queue = &conn->subscriber.queue;

    return live_tls_read(reading->record, conn,
                         queue->in_flight == 0 ? 0 : in_flight_bytes(queue)) ||
           live_fault_set(&reading->error,
                          "a TLS connection is none, or there is no memory for it");
}

static bool read_rest(struct reading *reading, struct conn *conn)
{
    read_probe(reading, conn);
    return read_conn(reading, conn) && read_exchange(reading, conn) &&
           read_control(reading, conn) && read_inbox(reading, conn) && read_begun(reading, conn) &&
           read_queue(reading, conn) && read_transport(reading, conn);
}

bool live_websocket_read(const struct handover_record *record, struct conn_table *table, int fd,
                         const struct live_topics *topics, const struct live_messages *messages,
                         struct conn **ret_conn, const char **error)
{
    struct reading reading = {.record = record, .table = table, .messages = messages};
    struct phase_websocket ws;

    *ret_conn = read_phase(&reading, topics, &ws) ? make(&reading, fd, &ws) : NULL;
    bool is_read = *ret_conn != NULL && read_rest(&reading, *ret_conn);

    if (*ret_conn == NULL) {
        identity_deinit(&ws.identity);
    }
    *error = reading.error;
    return is_read;
}
