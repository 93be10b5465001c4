/* Goal: received bytes, ends and errors reach the phase, each buffer goes back in its turn, and a
 * connection without a buffer waits for one. Method: fake kernel (stage.h). */
#include "server/conn/receive.h"

#include "tests/unit/server/conn/stage.h"

static struct conn *conn;

static void open_connection(void)
{
    stage_open();
    conn = stage_connect(LISTENER_BOTH);
    expect_heard("enter ");
}

TestSuite(receive, .init = open_connection, .fini = stage_close);

Test(receive, bytes_reach_the_phase_and_the_buffer_goes_back)
{
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("hello"));
    expect_heard("hello ");
    cr_assert_eq(stage.worker.recv_pool.out, 0);
    cr_assert(conn->recv_op.in_flight); /* again */
    kernel_take();
    cr_assert_eq(kernel.held_count, 1);
}

/* So that no peer is ahead of the others, whatever it has sent. */
Test(receive, takes_one_buffer_at_a_time)
{
    const struct held *held = kernel_recv();

    cr_assert(held->buffered && !held->multishot);
    cr_assert_eq(held->len, RECV_BUFFER_BYTES);
}

Test(receive, without_a_buffer_it_waits_for_the_end_of_the_turn)
{
    kernel_complete(kernel_find(IORING_OP_RECV), -ENOBUFS, 0);
    conn_receive_start(conn); /* a new one before that would only spin */
    kernel_take();
    cr_assert_null(kernel_find(IORING_OP_RECV));
    cr_assert_eq(stage_counted(recv_starved), 1);
    stage_turn();
    cr_assert_not_null(kernel_find(IORING_OP_RECV));
    expect_heard("");
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("nothing is lost"));
    expect_heard("nothing is lost ");
}

Test(receive, starved_connection_that_is_closed_waits_no_longer)
{
    kernel_complete(kernel_find(IORING_OP_RECV), -ENOBUFS, 0);
    conn_close_now(conn, CLOSE_DRAIN);
    stage_turn();
    cr_assert_null(kernel_find(IORING_OP_RECV));
    kernel_finish_close();
    cr_assert(list_empty(&stage.table.starved));
    cr_assert_eq(stage.table.open_count, 0);
}

Test(receive, end_of_the_peer_is_told_and_nothing_more_is_received)
{
    kernel_complete(kernel_find(IORING_OP_RECV), 0, 0);
    expect_heard("eof ");
    conn_receive_start(conn);
    stage_turn();
    cr_assert_null(kernel_find(IORING_OP_RECV));
}

Test(receive, errors_are_told_from_a_peer_that_is_gone)
{
    static const struct {
        int error;
        const char *heard;
    } cases[] = {
        {ECONNRESET, "failed: closed by peer leave "},
        {EPIPE, "failed: closed by peer leave "},
        {ETIMEDOUT, "failed: closed by peer leave "},
        {EHOSTUNREACH, "failed: closed by peer leave "},
        {ENETUNREACH, "failed: closed by peer leave "},
        {EIO, "failed: connection broken leave "},
        {ENOTCONN, "failed: connection broken leave "},
    };

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        kernel_complete(kernel_find(IORING_OP_RECV), -cases[i].error, 0);
        expect_heard(cases[i].heard);
        stage_close_connections();
        conn = stage_connect(LISTENER_BOTH);
        expect_heard("enter ");
    }
}

static bool take_error(struct conn *failed, int error)
{
    hear("transport: %d ", error == -EBADMSG);
    return error == -EBADMSG;
}

Test(receive, transport_may_keep_an_error_from_the_phase)
{
    struct transport_ops transport = transport_plain;

    transport.on_receive_failed = take_error;
    conn->transport = &transport;
    kernel_complete(kernel_find(IORING_OP_RECV), -EBADMSG, 0);
    expect_heard("transport: 1 ");
    conn_receive_start(conn);
    kernel_take();
    kernel_complete(kernel_find(IORING_OP_RECV), -ECONNRESET, 0);
    expect_heard("transport: 0 failed: closed by peer leave ");
    conn->transport = &transport_plain;
}

Test(receive, bytes_behind_the_close_are_thrown_away_and_the_buffer_goes_back)
{
    conn_close_now(conn, CLOSE_DRAIN);
    kernel_take();
    expect_heard("leave ");
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("late"));
    expect_heard("");
    cr_assert_eq(stage.worker.recv_pool.out, 0);
}

Test(receive, blocked_connection_receives_nothing_more)
{
    conn->receive_blocked = true;
    memcpy(stage.worker.recv_pool.memory, "last", 4);
    kernel_complete(kernel_find(IORING_OP_RECV), 4, IORING_CQE_F_BUFFER);
    stage_turn();
    cr_assert_null(kernel_find(IORING_OP_RECV));
}

Test(receive, unread_bytes_are_seen)
{
    cr_assert_not(conn_receive_waits(conn));
    cr_assert_eq(send(stage_peer(conn), "x", 1, MSG_NOSIGNAL), 1);
    cr_assert_eq(poll(&(struct pollfd){.fd = conn->fd, .events = POLLIN}, 1, STAGE_DEADLINE_MS), 1);
    cr_assert(conn_receive_waits(conn));
}

static struct message *large;

static bool place_in_message(struct conn *receiver, struct receive_place *ret_place)
{
    *ret_place = (struct receive_place){
        .share = &large->home_share, .bytes = large->payload, .len = large->payload_len};
    return true;
}

static void receive_in_place(void)
{
    kernel_complete(kernel_find(IORING_OP_RECV), 1, 0);
    kernel_take();
}

Test(receive, no_more_comes_in_place_in_a_turn_than_the_buffers_hold)
{
    struct phase_ops placing = recorder_ops;
    const struct phase_ops *phases[PHASE_COUNT];

    placing.place = place_in_message;
    memcpy(phases, recorders, sizeof phases);
    phases[conn->phase] = &placing;
    stage.shared.phases = phases;
    large = stage_message("", 0);
    large->payload_len = RECV_BUFFERS * RECV_BUFFER_BYTES / 2;
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("begin"));
    kernel_take();
    cr_assert_eq(kernel_recv()->len, large->payload_len);
    receive_in_place();
    cr_assert_eq(kernel_recv()->len, large->payload_len);
    receive_in_place();
    cr_assert(kernel_recv()->buffered); /* still of the same turn */
    stage_turn();
    kernel_receive(kernel_find(IORING_OP_RECV), bytes_of_text("next"));
    kernel_take();
    cr_assert_not(kernel_recv()->buffered);
    kernel_complete(kernel_find(IORING_OP_RECV), -ECONNRESET, 0);
    stage_close_connections();
    share_unref(&stage.worker, &large->home_share);
    stage.shared.phases = recorders;
}
