/* The stage of tests/unit/server/conn with the phases and the access API of a running server: what
 * a peer says goes in as bytes, what it hears comes out as bytes. */
#pragma once

#include "base/clock.h"
#include "server/http/phase_http.h"
#include "server/hub/stream_cache.h"
#include "server/websocket/phase_websocket.h"
#include "tests/unit/server/conn/stage.h"

#define SERVICE_UPGRADE                                                                            \
    "Host: x\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"        \
    "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n"

UNUSED static const struct phase_ops *const service_phases[PHASE_COUNT] = {
    [PHASE_TLS] = &recorder_ops,
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

static void service_on_command(struct worker *worker, struct bytes payload)
{
    hear("command: %.*s ", (int)payload.len, (const char *)payload.data);
}

UNUSED static void service_open(void)
{
    struct access_context *access = &stage.shared.access;

    stage_open_with(service_phases);
    stage.config.text_utf8 = CONFIG_TEXT_UTF8_CHECK;
    stage.shared.on_command = service_on_command;
    access->url = "ws://x";
    access->audience = "http://x";
    access->subprotocols = ACCESS_SUBPROTOCOLS_NULL;
    access->cors_origins = "";
    access->codes = code_store_create(16, 30000);
    access->bookings = bookings_create(16, access->codes);
    access->places = places_create(STAGE_CONNS);
    stage.shared.stats_topic = topic_find_or_create(&stage.topics, STATS_TOPIC);
    CHECK(access->codes != NULL && access->bookings != NULL && access->places != NULL &&
          stage.shared.stats_topic != NULL);
}

UNUSED static void service_close(void)
{
    stage_close_connections();
    stream_cache_drop_all(&stage.worker, &stage.topics);
    topic_unref(stage.shared.stats_topic);
    places_destroy(stage.shared.access.places);
    bookings_destroy(stage.shared.access.bookings);
    code_store_destroy(stage.shared.access.codes);
    stage_close();
}

UNUSED static struct held *held_of(const struct op *op)
{
    for (unsigned i = 0; i < kernel.held_count; i++) {
        if (kernel.held[i].op == op) {
            return &kernel.held[i];
        }
    }
    return NULL;
}

/* The peer's bytes, in receives of at most piece bytes; a request among them has its turn. */
UNUSED static void say_in_pieces(struct conn *conn, struct bytes bytes, size_t piece)
{
    while (bytes.len > 0) {
        size_t len = bytes.len < piece ? bytes.len : piece;
        struct held *held = held_of(&conn->recv_op);

        cr_assert_not_null(held, "nothing is received any more");
        kernel_receive(held, bytes_of(bytes.data, len));
        engine_on_work(&stage.table);
        kernel_take();
        bytes = bytes_skip(bytes, len);
    }
}

UNUSED static void say(struct conn *conn, struct bytes bytes)
{
    say_in_pieces(conn, bytes, RECV_BUFFER_BYTES);
}

UNUSED static void say_text(struct conn *conn, const char *text)
{
    say(conn, bytes_of_text(text));
}

/* The peer's FIN. */
UNUSED static void say_end(struct conn *conn)
{
    kernel_complete(held_of(&conn->recv_op), 0, 0);
}

/* What the connection sends until nothing is left, terminated for those who read it as text. */
UNUSED static struct bytes sent_by(struct conn *conn)
{
    static uint8_t sent[4 << 20];
    struct held *held;
    size_t used = 0;

    for (stage_turn(); (held = held_of(&conn->send_op)) != NULL; stage_turn()) {
        struct bytes bytes = held_bytes(held);

        cr_assert_lt(used + bytes.len, sizeof sent);
        memcpy(sent + used, bytes.data, bytes.len);
        used += bytes.len;
        kernel_complete(held, (int)bytes.len, 0);
    }
    sent[used] = '\0';
    return bytes_of(sent, used);
}

UNUSED static void make_code(const char *topic, bool can_read, bool can_write, char *code)
{
    struct permission permission = {.booking_id = "b0",
                                    .exp_s = clock_wall_s() + 3600,
                                    .scopes_json = "[]",
                                    .can_read = can_read,
                                    .can_write = can_write,
                                    .is_session = true};

    snprintf(permission.topic, sizeof permission.topic, "%s", topic);
    cr_assert_eq(code_store_put(stage.shared.access.codes, &permission, stage.worker.now_ms, code),
                 0);
}

static void ask_with_fields(struct conn *conn, const char *topic, const char *code,
                            const char *fields)
{
    char request[512];

    snprintf(request, sizeof request,
             "GET /session/%s?code=%s HTTP/1.1\r\n" SERVICE_UPGRADE "%s\r\n", topic, code, fields);
    say_text(conn, request);
}

UNUSED static void ask_for_websocket(struct conn *conn, const char *topic, const char *code)
{
    ask_with_fields(conn, topic, code, "");
}

static struct conn *join_with_fields(const char *topic, bool can_read, bool can_write,
                                     const char *fields)
{
    struct conn *conn = stage_connect(LISTENER_RELAY);
    char code[CODE_SIZE];

    make_code(topic, can_read, can_write, code);
    ask_with_fields(conn, topic, code, fields);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    return conn;
}

/* A connection on a topic; its 101 is sent. */
UNUSED static struct conn *join(const char *topic, bool can_read, bool can_write)
{
    struct conn *conn = join_with_fields(topic, can_read, can_write, "");

    cr_assert(bytes_start_with(sent_by(conn), "HTTP/1.1 101 "));
    return conn;
}

/* One that speaks relay.v1; its 101, and what it is told at once, are sent. */
UNUSED static struct conn *join_v1(const char *topic, bool can_read, bool can_write)
{
    struct conn *conn =
        join_with_fields(topic, can_read, can_write, "Sec-WebSocket-Protocol: relay.v1\r\n");

    cr_assert(bytes_start_with(sent_by(conn), "HTTP/1.1 101 "));
    return conn;
}
