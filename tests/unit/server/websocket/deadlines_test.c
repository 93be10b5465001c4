/* Goal: a peer that is there is kept, one that is gone, never completes its message or whose token
 * has ended is not. Method: bytes of peers through a fake kernel, and its clock. */
#include "server/websocket/deadlines.h"

#include "tests/unit/server/websocket/speech.h"

enum { PING_MS = 25000, PONG_MS = 27777, ASSEMBLY_MS = 60000 };

TestSuite(deadlines, .init = open_connections, .fini = service_close);

static void say_pong(struct conn *from)
{
    struct conn *before = conn;

    conn = from;
    say_frame(FIN | WS_OPCODE_PONG, "");
    conn = before;
}

Test(deadlines, peer_is_pinged_and_its_pong_keeps_it)
{
    for (unsigned i = 0; i < 4; i++) {
        stage_pass_ms(PING_MS - 200);
        cr_assert_eq(sent_by(conn).len, 0);
        stage_pass_ms(300);
        cr_assert_eq(sent_by(conn).len, 2);
        say_pong(conn);
        sent_by(viewer);
        say_pong(viewer);
    }
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
}

Test(deadlines, peer_without_a_pong_is_closed)
{
    stage_pass_ms(PING_MS + 100);
    sent_by(conn);
    stage_pass_ms(PONG_MS - 200);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    stage_pass_ms(400);
    cr_assert_eq(conn->close_reason, CLOSE_NO_PONG);
    cr_assert(conn->discard_unsent && conn->close_submitted);
}

Test(deadlines, pong_that_may_be_unread_is_waited_for_once)
{
    cr_assert_eq(send(stage_peer(conn), "x", 1, MSG_NOSIGNAL), 1);
    cr_assert_eq(poll(&(struct pollfd){.fd = conn->fd, .events = POLLIN}, 1, STAGE_DEADLINE_MS), 1);
    stage_pass_ms(PING_MS + 100);
    sent_by(conn);
    stage_pass_ms(PONG_MS + 200);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    stage_pass_ms(PONG_GRACE_MS + 200);
    cr_assert_eq(conn->close_reason, CLOSE_NO_PONG);
}

Test(deadlines, ping_that_had_no_memory_is_not_held_against_the_peer)
{
    size_t bytes_max = stage.worker.blocks.bytes_max;

    stage_use_up_memory();
    stage_pass_ms(PING_MS + 100);
    cr_assert_eq(phase_websocket_of(conn)->pong_due_ms, NO_PONG_DUE);
    stage.worker.blocks.bytes_max = bytes_max;
    stage_pass_ms(PING_MS + 100);
    cr_assert_eq(sent_by(conn).len, 2);
}

Test(deadlines, message_that_is_not_completed_in_time_is_refused)
{
    static const struct {
        unsigned first;
        uint64_t pass_ms;
    } steps[] = {{WS_OPCODE_TEXT, 20000}, {WS_OPCODE_CONTINUATION, 20000}, {0, 19800}};

    for (size_t i = 0; i < sizeof steps / sizeof steps[0]; i++) {
        add_text(steps[i].first, "part");
        add_text(FIN | WS_OPCODE_PONG, "");
        say_speech(RECV_BUFFER_BYTES);
        stage_pass_ms(steps[i].pass_ms);
        sent_by(conn); /* pings */
    }
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    stage_pass_ms(400);
    expect_close(conn, WS_CLOSE_POLICY, "message not completed in time");
    cr_assert_eq(stage_counted(closed_assembly_timeout), 1);
}

Test(deadlines, completed_message_stops_its_clock)
{
    say_frame(WS_OPCODE_TEXT, "begun");
    stage_pass_ms(20000);
    say_frame(FIN | WS_OPCODE_CONTINUATION, "done");
    cr_assert_eq(phase_websocket_of(conn)->assembly_started_ms, 0);
}

Test(deadlines, end_of_the_token_closes)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    timer_arm(&stage.worker.timers, &conn->expiry, stage.worker.now_ms); /* the clock stepped */
    stage_pass_ms(200);
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET); /* not that far */
    cr_assert(conn->expiry.armed);
    ws->exp_s = clock_wall_s();
    timer_arm(&stage.worker.timers, &conn->expiry, stage.worker.now_ms);
    stage_pass_ms(200);
    expect_close(conn, WS_CLOSE_EXPIRED, "token expired");
}
