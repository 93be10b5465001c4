/* Goal: what is accepted becomes a connection or is closed and counted, and a listener that ran out
 * of descriptors pauses instead of spinning. Method: fake kernel (stage.h). */
#include "server/conn/listener.h"

#include "server/tls/tls_slot.h"
#include "tests/unit/server/conn/stage.h"

static struct listener *listener;

static int listening_socket(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(fd >= 0);
    CHECK(bind(fd, (const struct sockaddr *)&address, sizeof address) == 0);
    CHECK(listen(fd, 4) == 0);
    return fd;
}

static void open_listeners(void)
{
    stage_open();
    stage.table.listeners_count = 2;
    for (unsigned i = 0; i < 2; i++) {
        stage.table.listeners[i] = (struct listener){
            .socket = {.fd = listening_socket(), .role = i == 0 ? LISTENER_ACCESS : LISTENER_RELAY},
            .table = &stage.table};
    }
    listener = &stage.table.listeners[0];
    listener_start(listener);
    kernel_take();
}

static void close_listeners(void)
{
    listener_stop(&stage.table.listeners[0]);
    listener_stop(&stage.table.listeners[1]);
    stage_close();
}

TestSuite(listener, .init = open_listeners, .fini = close_listeners);

static struct held *held_accept(void)
{
    return kernel_find(IORING_OP_ACCEPT);
}

/* Returns the peer's end. */
static int accept_one(uint32_t flags)
{
    int ours, peer;

    tcp_pair(&ours, &peer);
    kernel_complete(held_accept(), ours, flags);
    kernel_take();
    return peer;
}

/* Waits for the other end's close. */
static bool is_closed_by_us(int peer)
{
    char byte;

    poll(&(struct pollfd){.fd = peer, .events = POLLIN}, 1, STAGE_DEADLINE_MS);
    return recv(peer, &byte, 1, MSG_DONTWAIT) == 0;
}

Test(listener, accepted_descriptor_becomes_a_connection_that_receives)
{
    int peer = accept_one(IORING_CQE_F_MORE);

    expect_heard("enter ");
    cr_assert_eq(stage.table.open_count, 1);
    cr_assert_eq(stage_newest()->phase, PHASE_HTTP);
    cr_assert_eq(stage_newest()->role, LISTENER_ACCESS);
    cr_assert_eq(stage_newest()->transport, &transport_plain);
    cr_assert(kernel_recv()->buffered);
    cr_assert_eq(stage_counted(connections_accepted), 1);
    cr_assert(held_accept() != NULL && listener->accept_op.in_flight);
    close(peer);
}

Test(listener, connection_begins_with_the_handshake_where_there_is_tls)
{
    struct tls_slot slot;

    stage.shared.tls = &slot;
    int peer = accept_one(IORING_CQE_F_MORE);

    cr_assert_eq(stage_newest()->phase, PHASE_TLS);
    cr_assert_null(kernel_find(IORING_OP_RECV)); /* the phase receives as it likes */
    close(peer);
}

Test(listener, accept_that_the_kernel_ended_is_armed_again)
{
    int peer = accept_one(0);

    cr_assert_not_null(held_accept());
    cr_assert_eq(stage.table.open_count, 1);
    close(peer);
}

Test(listener, connection_above_the_bound_takes_the_place_of_the_oldest)
{
    int oldest, newer, newest;

    stage.shared.connections_max = 2;
    oldest = accept_one(IORING_CQE_F_MORE);
    newer = accept_one(IORING_CQE_F_MORE);
    newest = accept_one(IORING_CQE_F_MORE);
    cr_assert_eq(stage.table.conns[0].close_reason, CLOSE_EVICTED);
    cr_assert(stage.table.conns[0].close_submitted);
    cr_assert_eq(stage.table.conns[1].phase, PHASE_HTTP);
    cr_assert_eq(stage.table.conns[2].phase, PHASE_HTTP);
    cr_assert_eq(atomic_load(&stage.shared.connections), 2);
    cr_assert_eq(stage_counted(connections_evicted), 1);
    cr_assert_eq(stage_counted(connections_refused_limit), 0);
    close(oldest);
    close(newer);
    close(newest);
}

Test(listener, connection_above_the_bound_is_closed_and_counted)
{
    int peers[STAGE_CONNS + 1];

    for (unsigned i = 0; i < STAGE_CONNS + 1; i++) {
        peers[i] = accept_one(IORING_CQE_F_MORE);
        /* As a WebSocket, which makes no room. */
        unfinished_remove(&stage.table.unfinished, &stage.table.conns[i % STAGE_CONNS]);
    }
    cr_assert_eq(stage.table.open_count, STAGE_CONNS);
    cr_assert_eq(stage_counted(connections_refused_limit), 1);
    cr_assert(is_closed_by_us(peers[STAGE_CONNS]));
    for (unsigned i = 0; i < STAGE_CONNS + 1; i++) {
        close(peers[i]);
    }
}

Test(listener, refused_accept_pauses_and_resumes)
{
    static const int errors[] = {EMFILE, ENFILE, ENOMEM, ENOBUFS};

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kernel_complete(held_accept(), -errors[i], 0);
        stage_turn();
        cr_assert_null(held_accept());
        cr_assert_eq(stage_counted(accept_pauses), i + 1);
        stage_pass_ms(ACCEPT_RETRY_MS - TIMER_TICK_MS);
        cr_assert_null(held_accept());
        stage_pass_ms(2 * TIMER_TICK_MS);
        cr_assert_not_null(held_accept());
    }
}

Test(listener, only_the_listener_that_paused_resumes)
{
    listener_start(&stage.table.listeners[1]);
    kernel_take();
    kernel_complete(held_accept(), -EMFILE, 0);
    cr_assert_eq(kernel.held_count, 1);
    stage_pass_ms(ACCEPT_RETRY_MS + TIMER_TICK_MS);
    cr_assert_eq(kernel.held_count, 2); /* starting the other one again would have aborted */
}

Test(listener, connection_that_is_gone_already_does_not_pause)
{
    static const int errors[] = {ECONNABORTED, EPROTO, EINTR};

    for (unsigned i = 0; i < sizeof errors / sizeof errors[0]; i++) {
        kernel_complete(held_accept(), -errors[i], 0);
        kernel_take();
        cr_assert_not_null(held_accept());
    }
    cr_assert_eq(stage_counted(accept_pauses), 0);
}

Test(listener, nothing_is_accepted_during_a_stop)
{
    stage.worker.stopping = true;
    int peer = accept_one(0);

    cr_assert_eq(stage.table.open_count, 0);
    cr_assert(is_closed_by_us(peer));
    cr_assert_null(held_accept());
    close(peer);
}

Test(listener, error_during_a_stop_does_not_pause)
{
    stage.worker.stopping = true;
    kernel_complete(held_accept(), -EINVAL, 0);
    cr_assert_not(stage.table.accept_retry.armed);
    cr_assert_eq(stage_counted(accept_pauses), 0);
}

Test(listener, stop_ends_the_socket_once)
{
    int fd = listener->socket.fd;

    listener_stop(listener);
    cr_assert_eq(listener->socket.fd, -1);
    cr_assert_eq(fcntl(fd, F_GETFD), -1);
    listener_stop(listener);
}

Test(listener, connection_in_a_used_place_begins_anew)
{
    int peer = accept_one(IORING_CQE_F_MORE);
    struct conn *conn = stage_newest();
    uint64_t serial = conn->serial;

    stage_send(conn, "old");
    stage_turn();
    kernel_complete(kernel_send(), 3, 0);
    conn->peer_ended = true;
    conn->receive_blocked = true;
    conn->taken_ms = conn->bytes_acked = 7;
    stage_close_connections();
    close(peer);
    peer = accept_one(IORING_CQE_F_MORE);
    cr_assert_eq(stage_newest(), conn);
    cr_assert_gt(conn->serial, serial);
    cr_assert_eq(conn->messages_sent + conn->bytes_sent + conn->first_sent_ms, 0);
    cr_assert_eq(conn->taken_ms + conn->bytes_acked, 0);
    cr_assert_not(conn->peer_ended || conn->receive_blocked || conn->close_submitted);
    cr_assert_not(conn->notify_submitted || conn->fin_sent || conn->discard_unsent);
    cr_assert_not_null(kernel_find(IORING_OP_RECV));
    close(peer);
}

/* The fixture's listener is replaced by one whose socket others accept on too. */
static int share_socket(void)
{
    listener_stop(listener);
    stage.worker.stopping = true; /* or the end of its accept were a pause */
    kernel_complete(held_accept(), -EINVAL, 0);
    stage.worker.stopping = false;
    listener->socket = (struct listener_socket){
        .fd = listening_socket(), .role = LISTENER_BOTH, .is_shared = true};
    int fd = dup(listener->socket.fd);

    listener_start(listener);
    kernel_take();
    return fd;
}

Test(listener, shared_socket_is_accepted_on_once_for_each_connection)
{
    int fd = share_socket();

    for (unsigned i = 0; i < 3; i++) {
        int peer = accept_one(0); /* without IORING_CQE_F_MORE: the kernel holds no accept */

        cr_assert_eq(stage.table.open_count, i + 1);
        cr_assert_eq(stage_newest()->role, LISTENER_BOTH);
        cr_assert_not_null(held_accept());
        close(peer);
    }
    close(fd);
}

Test(listener, stop_leaves_a_shared_socket_listening)
{
    int fd = share_socket();
    int listens = 0;
    socklen_t len = sizeof listens;

    stage.worker.stopping = true;
    listener_stop(listener);
    kernel_take();
    cr_assert_eq(listener->socket.fd, -1);
    cr_assert_eq(getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &len), 0);
    cr_assert_eq(listens, 1);
    cr_assert_not(listener_is_stopped(listener));
    kernel_complete(held_accept(), -ECANCELED, 0);
    cr_assert_not(listener_is_stopped(listener));
    kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), 0, 0);
    cr_assert(listener_is_stopped(listener));
    close(fd);
}

Test(listener, held_ones_accept_nothing_and_go_on)
{
    listener_start(&stage.table.listeners[1]);
    listener_hold_all(&stage.table);
    kernel_take();
    cr_assert_not(listener_all_are_quiet(&stage.table));
    close(accept_one(IORING_CQE_F_MORE)); /* one that the kernel had accepted */
    cr_assert_eq(stage.table.open_count, 1);
    for (unsigned i = 0; i < 2; i++) {
        kernel_complete(held_accept(), -ECANCELED, 0);
        kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), 0, 0);
    }
    kernel_take();
    cr_assert(listener_all_are_quiet(&stage.table));
    cr_assert_null(held_accept());
    cr_assert_eq(stage_counted(accept_pauses), 0);
    listener_resume_all(&stage.table);
    kernel_take();
    cr_assert(listener->accept_op.in_flight && stage.table.listeners[1].accept_op.in_flight);
}

Test(listener, hold_that_ends_before_the_accept_does_accepts_again)
{
    listener_hold_all(&stage.table);
    listener_resume_all(&stage.table);
    kernel_take();
    kernel_complete(held_accept(), -ECANCELED, 0);
    kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), 0, 0);
    kernel_take();
    cr_assert(held_accept() != NULL && listener->accept_op.in_flight);
    cr_assert_eq(stage_counted(accept_pauses), 0);
}

Test(listener, sockets_that_are_let_go_still_listen)
{
    int other = dup(listener->socket.fd), accepting = 0;
    socklen_t len = sizeof accepting;

    listener_hold_all(&stage.table);
    kernel_take();
    kernel_complete(held_accept(), -ECANCELED, 0);
    kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), 0, 0);
    listener_let_go_all(&stage.table);
    cr_assert(listener_is_stopped(listener));
    cr_assert_eq(getsockopt(other, SOL_SOCKET, SO_ACCEPTCONN, &accepting, &len), 0);
    cr_assert_eq(accepting, 1);
    close(other);
}

Test(listener, accept_that_a_cancel_missed_is_cancelled_again)
{
    listener_hold_all(&stage.table);
    kernel_take();
    kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), -ENOENT, 0);
    kernel_take();
    cr_assert_not(listener_all_are_quiet(&stage.table));
    cr_assert_not_null(kernel_find(IORING_OP_ASYNC_CANCEL));
    kernel_complete(held_accept(), -ECANCELED, 0);
    kernel_complete(kernel_find(IORING_OP_ASYNC_CANCEL), 0, 0);
    kernel_take();
    cr_assert(listener_all_are_quiet(&stage.table));
    cr_assert_null(kernel_find(IORING_OP_ASYNC_CANCEL));
}
