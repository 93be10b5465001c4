#include "server/websocket/close_frame.h"

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/receive.h"
#include "server/hub/drop_policy.h"
#include "server/websocket/phase_websocket.h"

/* Reasons that come between two reads, not in the middle of one: the parser then stands where the
 * next bytes go on, and the peer's Close can be told from the rest. */
static bool may_wait_for_close(enum close_reason reason)
{
    return reason == CLOSE_DRAIN || reason == CLOSE_EXPIRED || reason == CLOSE_DENIED ||
           reason == CLOSE_ASSEMBLY_TIMEOUT || reason == CLOSE_TOO_SLOW;
}

void close_frame_say_code(struct conn *conn, enum close_reason reason, uint16_t code,
                          const char *text)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    uint8_t payload[WS_CONTROL_PAYLOAD_MAX];
    size_t len = ws_frame_close_write(code, text, payload);
    struct ws_close_watch watch;

    CHECK(conn->phase == PHASE_WEBSOCKET);
    ws_close_watch_init(&watch, &ws->parser, ws->in_payload ? &ws->frame : NULL, ws->payload_done);
    /* Messages accepted before a stop are still delivered; for other reasons the peer gets none. */
    if (reason != CLOSE_DRAIN) {
        drop_policy_drop_waiting(&conn->subscriber.queue, conn->worker);
    }
    conn_close_saying(conn, reason,
                      message_create_control(conn->worker, WS_OPCODE_CLOSE, bytes_of(payload, len)),
                      may_wait_for_close(reason) && inbox_is_empty(&ws->inbox) ? &watch : NULL);
    conn_receive_start(conn); /* closing reads what the peer still sends */
}

void close_frame_say(struct conn *conn, enum close_reason reason, const char *text)
{
    close_frame_say_code(conn, reason, close_reason_code(reason), text);
}
