/* Goal: each control frame has its answer, whatever its pieces, and its payload no memory longer
 * than it takes. Method: bytes of peers through a fake kernel. */
#include "server/websocket/control_frame.h"

#include "tests/unit/server/websocket/speech.h"

TestSuite(control_frame, .init = open_connections, .fini = service_close);

Test(control_frame, ping_has_its_payload_back)
{
    say_frame(FIN | WS_OPCODE_PING, "here");
    cr_assert(bytes_equal_text(sent_by(conn), "\x8a\x04here"));
    cr_assert_null(phase_websocket_of(conn)->control);
}

Test(control_frame, payload_comes_byte_by_byte)
{
    add_text(FIN | WS_OPCODE_PING, "in pieces");
    say_speech(1);
    cr_assert(bytes_equal_text(sent_by(conn), "\x8a\x09in pieces"));
}

Test(control_frame, pong_is_taken)
{
    phase_websocket_of(conn)->pong_due_ms = 1;
    say_frame(FIN | WS_OPCODE_PONG, "");
    cr_assert_eq(phase_websocket_of(conn)->pong_due_ms, NO_PONG_DUE);
}

Test(control_frame, close_is_answered_with_its_code)
{
    say_frame(FIN | WS_OPCODE_CLOSE, "\x0f\xa0gone");
    expect_close(conn, 4000, "");
    cr_assert_eq(conn->close_reason, CLOSE_BY_PEER);
}

Test(control_frame, close_with_a_bad_code_is_a_fault)
{
    say_frame(FIN | WS_OPCODE_CLOSE, "\x03\xed");
    expect_close(conn, WS_CLOSE_PROTOCOL_ERROR, "bad close code 1005");
}

Test(control_frame, payload_that_never_ends_is_given_back)
{
    add_text(FIN | WS_OPCODE_PING, "never whole");
    speech.len -= 3;
    say_speech(RECV_BUFFER_BYTES);
    cr_assert_not_null(phase_websocket_of(conn)->control);
    conn_close_now(conn, CLOSE_BY_PEER); /* the leak check looks */
}
