#include "server/conn/receive.h"

#include <errno.h>
#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/check.h"
#include "server/conn/conn.h"
#include "server/conn/transport.h"
#include "server/hub/message.h"

/* The kernel moves them before the sends of their turn: all connections together get no more in it
 * than fits the receive buffers. */
enum { PLACED_BYTES_MAX = RECV_BUFFERS * RECV_BUFFER_BYTES };

/* Errors that mean "the peer is gone", as common as a proper end. */
static bool is_peer_gone(int error)
{
    return error == -ECONNRESET || error == -EPIPE || error == -ETIMEDOUT ||
           error == -EHOSTUNREACH || error == -ENETUNREACH;
}

void conn_receive_end(struct conn *conn)
{
    conn->peer_ended = true;
    conn_phase_ops(conn)->on_eof(conn);
}

static void take_error(struct conn *conn, int error)
{
    if (error == -ENOBUFS) {
        /* A state, not a failure: nothing is lost, buffers are back at the end of this turn. */
        counters_increment(&conn->worker->counters, recv_starved);
        CHECK(list_empty(&conn->starved_node));
        list_append(&conn->table->starved, &conn->starved_node);
    } else if (error == -ECANCELED) {
        conn_receive_start(conn); /* when it is no longer held */
    } else if (conn->transport->on_receive_failed == NULL ||
               !conn->transport->on_receive_failed(conn, error)) {
        conn_fail(conn, is_peer_gone(error) ? CLOSE_BY_PEER : CLOSE_IO_ERROR);
    }
}

static void take_bytes(struct conn *conn, struct bytes bytes)
{
    conn->transport->on_received(conn, bytes);
    conn_receive_start(conn);
}

/* A phase that was entered meanwhile has no such place, and is given the bytes. */
static void take_placed(struct conn *conn, const struct receive_place *place, size_t len)
{
    const struct phase_ops *ops = conn_phase_ops(conn);

    if (ops->on_placed != NULL) {
        ops->on_placed(conn, len);
    } else {
        ops->on_bytes(conn, bytes_of(place->bytes, len));
    }
    conn_receive_start(conn);
}

static void take_result(struct conn *conn, int result, uint32_t flags)
{
    if (result > 0) {
        take_bytes(conn, recv_pool_claim(&conn->worker->recv_pool, result, flags));
    } else if (result == 0) {
        conn_receive_end(conn);
    } else {
        take_error(conn, result);
    }
}

static void recv_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);
    struct recv_pool *pool = &conn->worker->recv_pool;

    CHECK(conn->phase != PHASE_FREE);
    if (!conn->close_submitted) {
        take_result(conn, result, flags);
    }
    recv_pool_return(pool, flags); /* the bytes have been moved where they are needed */
    conn_completed(conn);
}

static void place_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);
    struct receive_place place = conn->place;

    CHECK(conn->phase != PHASE_FREE && place.share != NULL);
    conn_receive_init(conn); /* first: the phase may start the next receive */
    if (!conn->close_submitted && result > 0) {
        take_placed(conn, &place, (size_t)result);
    } else if (!conn->close_submitted) {
        take_result(conn, result, flags);
    }
    share_unref(conn->worker, place.share);
    conn_completed(conn);
}

bool conn_receive_waits(const struct conn *conn)
{
    int unread = 0;

    return ioctl(conn->fd, SIOCINQ, &unread) == 0 && unread > 0;
}

void conn_receive_init(struct conn *conn)
{
    op_init(&conn->recv_op, recv_on_complete);
    conn->place = (struct receive_place){0};
}

static bool find_place(struct conn *conn)
{
    const struct phase_ops *ops = conn_phase_ops(conn);

    if (!conn->transport->places || ops->place == NULL ||
        conn->table->placed_bytes >= PLACED_BYTES_MAX || !ops->place(conn, &conn->place)) {
        return false;
    }
    conn->table->placed_bytes += conn->place.len;
    return true;
}

/* Not multishot, which costs no less here: one receive of each connection in a turn, so that none
 * is far ahead of the others, and a phase can stop its peer. */
static void submit(struct conn *conn)
{
    bool is_placed = find_place(conn);

    if (is_placed) {
        share_ref(conn->place.share);
        op_init(&conn->recv_op, place_on_complete);
    }
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->recv_op);

    io_uring_prep_recv(sqe, conn->fd, conn->place.bytes,
                       is_placed ? conn->place.len : RECV_BUFFER_BYTES, 0);
    if (!is_placed) {
        sqe->flags |= IOSQE_BUFFER_SELECT;
        sqe->buf_group = RECV_POOL_GROUP;
    }
}

void conn_receive_start(struct conn *conn)
{
    const struct phase_ops *ops = conn_phase_ops(conn);

    if (conn->recv_op.in_flight || conn->close_submitted || conn->peer_ended ||
        conn->receive_blocked || conn->is_held || !list_empty(&conn->starved_node) ||
        (ops->wants_bytes != NULL && !ops->wants_bytes(conn))) {
        return;
    }
    submit(conn);
}
