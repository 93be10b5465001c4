/* Kernel TLS: data needs nothing from us; control records (alerts, KeyUpdate) are read and answered
 * here. A receive of data ends with -EIO in front of one. */
#include "server/conn/tls/transport_kernel.h"

#include <errno.h>

#include "base/check.h"
#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"

/* Receiving on under the old key would break sending too, so the goodbye goes out and nothing more
 * is read. */
static void refuse_rekey(struct conn *conn)
{
    conn->receive_blocked = true;
    conn_end(conn, CLOSE_REKEY);
}

static void follow_rekey(struct conn *conn, bool answer_wanted)
{
    struct rekey *rekey = conn->tls.rekey;

    if (rekey == NULL || ktls_rekey_receive(conn->fd, rekey->suite, &rekey->secrets) != 0) {
        refuse_rekey(conn);
        return;
    }
    counters_increment(&conn->worker->counters, tls_rekeys);
    if (answer_wanted) {
        rekey->answer_wanted = true;
        conn_send_wake(conn);
    }
    conn_receive_start(conn);
}

static void take_control(struct conn *conn, uint8_t type, struct bytes payload)
{
    if (type == TLS_CONTENT_DATA) {
        conn_phase_ops(conn)->on_bytes(conn, payload);
        conn_receive_start(conn);
        return;
    }
    switch (tls_control_parse(type, payload)) {
    case TLS_CONTROL_CLOSE:
        conn_receive_end(conn);
        return;
    case TLS_CONTROL_NOTHING:
        conn_receive_start(conn);
        return;
    case TLS_CONTROL_ALERT:
        counters_increment(&conn->worker->counters, tls_alerts);
        conn_fail(conn, CLOSE_BY_PEER);
        return;
    case TLS_CONTROL_REKEY:
        follow_rekey(conn, false);
        return;
    case TLS_CONTROL_REKEY_AND_ANSWER:
        follow_rekey(conn, true);
        return;
    case TLS_CONTROL_BAD_VALUE:
    case TLS_CONTROL_BAD:
        counters_increment(&conn->worker->counters, tls_broken);
        conn_fail(conn, CLOSE_TLS_FAILED);
        return;
    }
}

static void control_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);

    CHECK(conn->phase != PHASE_FREE);
    conn_receive_init(conn); /* first: the phase may start the next receive, which is one of data */
    if (!conn->close_submitted && result > 0) {
        struct ktls_record *record = conn->tls.control_record;

        take_control(conn, ktls_record_type(record), bytes_of(record->data, (size_t)result));
    } else if (!conn->close_submitted && result == 0) {
        conn_receive_end(conn);
    } else if (!conn->close_submitted && result == -ECANCELED) {
        conn_receive_start(conn); /* of data: the record is told of again */
    } else if (!conn->close_submitted) {
        conn_fail(conn, CLOSE_IO_ERROR);
    }
    conn_completed(conn);
}

static void receive_control(struct conn *conn)
{
    if (conn->receive_blocked) {
        return;
    }
    if (!transport_take_record(conn, &conn->tls.control_record)) {
        conn_fail(conn, CLOSE_IO_ERROR);
        return;
    }
    ktls_record_prepare_receive(conn->tls.control_record);
    op_init(&conn->recv_op, control_on_complete);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->recv_op);

    io_uring_prep_recvmsg(sqe, conn->fd, &conn->tls.control_record->header, 0);
}

static void rekey_on_sent(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, send_op);
    struct rekey *rekey = conn->tls.rekey;

    CHECK(conn->phase != PHASE_FREE);
    conn_send_restore(conn);
    if (result == -ECANCELED && !conn->close_submitted) {
        rekey->answer_wanted = true; /* it was held */
    } else if (!conn->close_submitted &&
               (result <= 0 || ktls_rekey_send(conn->fd, rekey->suite, &rekey->secrets) != 0)) {
        conn_fail(conn, CLOSE_IO_ERROR);
    }
    conn_send_wake(conn);
    if (conn_send_idle(conn) && conn_phase_ops(conn)->on_sent != NULL) {
        conn_phase_ops(conn)->on_sent(conn); /* for what came meanwhile and waits for that */
    }
    conn_completed(conn);
}

/* Our KeyUpdate is the last record under the old key, so nothing else may be in flight beside it.
 */
static void answer_rekey(struct conn *conn)
{
    static const uint8_t key_update[] = {24, 0, 0, 1, 0};

    CHECK(!conn->send_op.in_flight);
    conn->tls.rekey->answer_wanted = false;
    ktls_record_prepare_send(&conn->tls.rekey->record, TLS_CONTENT_HANDSHAKE,
                             bytes_of(key_update, sizeof key_update));
    op_init(&conn->send_op, rekey_on_sent);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->send_op);

    io_uring_prep_sendmsg(sqe, conn->fd, &conn->tls.rekey->record.header, MSG_NOSIGNAL);
}

static bool on_receive_failed(struct conn *conn, int error)
{
    switch (error) {
    case -EIO:
        receive_control(conn);
        return true;
    case -EBADMSG:
    case -EMSGSIZE:
    case -EINVAL:
        counters_increment(&conn->worker->counters, tls_broken);
        conn_fail(conn, CLOSE_TLS_FAILED);
        return true;
    default:
        return false;
    }
}

static bool send_next(struct conn *conn)
{
    if (conn->tls.rekey != NULL && conn->tls.rekey->answer_wanted) {
        answer_rekey(conn);
        return true;
    }
    return transport_send_frames(conn);
}

/* Its completion also says that the kernel has taken all records before it: a FIN or close before
 * that would overtake them. So without memory for it the end has to wait. */
static bool notify(struct conn *conn)
{
    static const uint8_t close_notify[] = {1, 0};

    if (!transport_take_record(conn, &conn->tls.notify_record)) {
        return false;
    }
    ktls_record_prepare_send(conn->tls.notify_record, TLS_CONTENT_ALERT,
                             bytes_of(close_notify, sizeof close_notify));
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->notify_op);

    io_uring_prep_sendmsg(sqe, conn->fd, &conn->tls.notify_record->header, MSG_NOSIGNAL);
    return true;
}

static bool is_passed_on(const struct conn *conn)
{
    return ktls_is_passed_on(conn->fd);
}

/* The keys are in the socket; this is what the kernel needs for the next ones. */
static bool take_over(struct conn *conn, const struct conn_tls *from)
{
    if (from->rekey == NULL) {
        return true;
    }
    conn->tls.rekey = block_pool_take(&conn->worker->blocks, sizeof *conn->tls.rekey);
    if (conn->tls.rekey == NULL) {
        return false;
    }
    *conn->tls.rekey = *from->rekey;
    return true;
}

static void release(struct conn *conn)
{
    if (conn->tls.rekey != NULL) {
        bytes_wipe(conn->tls.rekey, sizeof *conn->tls.rekey);
        block_pool_put(&conn->worker->blocks, conn->tls.rekey);
        conn->tls.rekey = NULL;
    }
    transport_put_record(conn, &conn->tls.control_record);
    transport_put_record(conn, &conn->tls.notify_record);
}

const struct transport_ops transport_kernel = {
    .text = "kernel",
    .on_received = transport_pass_received,
    .places = true,
    .on_receive_failed = on_receive_failed,
    .send_next = send_next,
    .on_sent = transport_frames_sent,
    .notify = notify,
    .is_passed_on = is_passed_on,
    .take_over = take_over,
    .release = release,
};
