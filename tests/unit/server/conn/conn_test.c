/* Goal: a connection is in one phase at a time, and a phase hears of its beginning, its end and
 * what others ask of it. Method: phases that write down what they are told (stage.h). */
#include "server/conn/conn.h"

#include "tests/unit/server/conn/stage.h"

static struct conn *conn;

static void other_on_enter(struct conn *entered)
{
    hear("other:enter ");
    timer_arm(&entered->worker->timers, &entered->deadline, entered->worker->now_ms + 1000);
}

static void other_on_completed(struct conn *completed)
{
    hear("other:completed ");
}

static const struct phase_ops other_ops = {
    .on_enter = other_on_enter,
    .on_completed = other_on_completed,
};

static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_HTTP] = &recorder_ops,
    [PHASE_WEBSOCKET] = &other_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

static void open_connection(void)
{
    stage_open_with(phases);
    conn = stage_connect(LISTENER_BOTH);
    expect_heard("enter ");
}

TestSuite(conn, .init = open_connection, .fini = stage_close);

Test(conn, phase_is_left_before_the_next_is_entered)
{
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    expect_heard("leave other:enter ");
    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    cr_assert_eq(conn_phase_ops(conn), &other_ops);
}

Test(conn, deadline_and_pending_answer_end_with_their_phase)
{
    timer_arm(&stage.worker.timers, &conn->deadline, STAGE_NOW_MS + 50000);
    conn->awaits_answer = true;
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    cr_assert_not(conn->awaits_answer);
    cr_assert_eq(conn->deadline.due_ms, STAGE_NOW_MS + 1000); /* that of the new phase */
    conn_close_now(conn, CLOSE_DRAIN);
    kernel_finish_close();
    cr_assert_not(conn->deadline.armed);
}

Test(conn, phase_hears_of_its_end_and_of_failures_with_the_reason)
{
    conn_end(conn, CLOSE_DENIED);
    expect_heard("end: token denied ");
    cr_assert_eq(conn->phase, PHASE_HTTP);
    conn_fail(conn, CLOSE_TLS_FAILED);
    expect_heard("failed: TLS failed leave ");
    cr_assert_eq(conn->close_reason, CLOSE_TLS_FAILED);
}

Test(conn, completion_is_told_to_phases_that_ask_for_it)
{
    conn_completed(conn);
    expect_heard("");
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    conn_completed(conn);
    expect_heard("leave other:enter other:completed ");
}

Test(conn, timer_of_the_connection_is_the_deadline_of_its_phase)
{
    timer_arm(&stage.worker.timers, &conn->deadline, STAGE_NOW_MS + 1000);
    stage_pass_ms(1000);
    expect_heard("deadline ");
}

Test(conn, phase_does_not_come_back, .signal = SIGABRT)
{
    conn_enter_phase(conn, PHASE_WEBSOCKET);
    conn_enter_phase(conn, PHASE_HTTP);
}

Test(conn, phase_is_not_entered_twice, .signal = SIGABRT)
{
    conn_enter_phase(conn, PHASE_HTTP);
}

Test(conn, connection_is_not_free_before_it_was_closed, .signal = SIGABRT)
{
    conn_enter_phase(conn, PHASE_FREE);
}

Test(conn, place_is_not_given_back_while_it_is_in_use, .signal = SIGABRT)
{
    conn_table_put(&stage.table, conn);
}

Test(conn, operation_in_flight_is_not_begun_anew, .signal = SIGABRT)
{
    cr_assert(conn->recv_op.in_flight);
    conn_receive_init(conn);
}

Test(conn, connection_that_is_gone_sends_nothing, .signal = SIGABRT)
{
    conn_close_now(conn, CLOSE_DRAIN);
    kernel_finish_close();
    cr_assert_eq(conn->phase, PHASE_FREE);
    conn_send_wake(conn);
}
