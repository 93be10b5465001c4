#include "server/websocket/control_frame.h"

#include <stdlib.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/send.h"
#include "server/hub/drop_policy.h"
#include "server/websocket/close_frame.h"
#include "server/websocket/deadlines.h"
#include "server/websocket/phase_websocket.h"

void control_frame_begin(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    ws->control = malloc((size_t)ws->frame.payload_len);
    if (ws->control == NULL) {
        conn_close_now(conn, CLOSE_IO_ERROR);
    }
}

static void answer_ping(struct conn *conn, struct bytes payload)
{
    struct message *pong = message_create_control(conn->worker, WS_OPCODE_PONG, payload);

    if (pong == NULL) {
        counters_increment(&conn->worker->counters, pongs_skipped);
        return;
    }
    /* A peer that pings without reading gets an answer to some only, among them the last. */
    if (drop_policy_replace_answer(&conn->subscriber.queue, conn->worker, &pong->home_share)) {
        counters_increment(&conn->worker->counters, pongs_skipped);
        share_unref(conn->worker, &pong->home_share);
    } else {
        conn_send(conn, pong);
    }
}

static void answer_close(struct conn *conn, struct bytes payload)
{
    uint16_t code;
    enum ws_close_result result = ws_frame_close_parse(payload, &code);
    char text[WS_CLOSE_REASON_MAX + 1];

    if (result != WS_CLOSE_OK) {
        ws_frame_close_error_text(result, payload, text, sizeof text);
        close_frame_say(conn, CLOSE_PROTOCOL_ERROR, text);
        return;
    }
    close_frame_say_code(conn, CLOSE_BY_PEER, code, "");
}

static void answer(struct conn *conn, enum ws_opcode opcode, struct bytes payload)
{
    switch (opcode) {
    case WS_OPCODE_PING:
        answer_ping(conn, payload);
        break;
    case WS_OPCODE_PONG:
        deadlines_take_pong(conn);
        break;
    case WS_OPCODE_CLOSE:
        answer_close(conn, payload);
        break;
    case WS_OPCODE_CONTINUATION:
    case WS_OPCODE_TEXT:
    case WS_OPCODE_BINARY:
        UNREACHABLE();
    }
}

void control_frame_end(struct conn *conn)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    uint8_t *payload = ws->control;

    ws->control = NULL; /* the answer may leave this phase */
    answer(conn, ws->frame.opcode, bytes_of(payload, (size_t)ws->frame.payload_len));
    free(payload);
}
