/* Goal: each end is told with its code, and what waited goes out first only where the peer may have
 * it. Method: bytes of peers through a fake kernel. */
#include "server/websocket/close_frame.h"

#include "tests/unit/server/websocket/speech.h"

TestSuite(close_frame, .init = open_connections, .fini = service_close);

Test(close_frame, end_from_outside_is_told_with_its_code)
{
    static const struct {
        enum close_reason reason;
        unsigned code;
        const char *text;
    } cases[] = {
        {CLOSE_DRAIN, WS_CLOSE_GOING_AWAY, "server is stopping"},
        {CLOSE_DENIED, WS_CLOSE_DENIED, "booking cancelled"},
        {CLOSE_REKEY, WS_CLOSE_GOING_AWAY, "re-key not supported by this kernel, reconnect"},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        conn_end(conn, cases[i].reason);
        expect_close(conn, cases[i].code, cases[i].text);
        stage_close_connections();
        conn = join("t0", true, true);
    }
}

Test(close_frame, what_waits_is_delivered_at_a_stop_and_dropped_at_a_denial)
{
    struct conn *denied = join("t0", true, false);

    say_frame(FIN | WS_OPCODE_TEXT, "hello");
    conn_end(viewer, CLOSE_DRAIN);
    conn_end(denied, CLOSE_DENIED);
    expect_close(denied, WS_CLOSE_DENIED, "booking cancelled");
    cr_assert(bytes_start_with(sent_by(viewer), "\x81\x05hello\x88"));
}
