/* Kernel TLS: data needs nothing from us; control records (alerts, KeyUpdate) are read and answered
 * here. A multishot receive stops with -EIO in front of one. */
#include <errno.h>

#include "base/check.h"
#include "server/conn/conn.h"

static void receive_data_again(struct conn *conn)
{
    conn_receive_init(conn);
    conn_receive_start(conn);
}

/* Receiving on under the old key would break sending too, so the goodbye goes out and nothing more
 * is read. */
static void refuse_rekey(struct conn *conn)
{
    conn->receive_blocked = true;
    conn_end(conn, CLOSE_REKEY);
}

static void follow_rekey(struct conn *conn, bool answer_wanted)
{
    struct rekey *rekey = conn->rekey;

    if (rekey == NULL || ktls_rekey_receive(conn->fd, rekey->suite, &rekey->secrets) != 0) {
        refuse_rekey(conn);
        return;
    }
    counters_increment(&conn->worker->counters, tls_rekeys);
    if (answer_wanted) {
        rekey->answer_wanted = true;
        conn_send_wake(conn);
    }
    receive_data_again(conn);
}

static void take_control(struct conn *conn, uint8_t type, struct bytes payload)
{
    if (type == KTLS_RECORD_DATA) {
        conn_phase_ops(conn)->on_bytes(conn, payload);
        receive_data_again(conn);
        return;
    }
    switch (ktls_control_parse(type, payload)) {
    case KTLS_CONTROL_CLOSE:
        conn_receive_end(conn);
        return;
    case KTLS_CONTROL_ALERT:
        counters_increment(&conn->worker->counters, tls_alerts);
        conn_close_now(conn, CLOSE_BY_PEER);
        return;
    case KTLS_CONTROL_REKEY:
        follow_rekey(conn, false);
        return;
    case KTLS_CONTROL_REKEY_AND_ANSWER:
        follow_rekey(conn, true);
        return;
    case KTLS_CONTROL_BAD:
        counters_increment(&conn->worker->counters, tls_broken);
        conn_close_now(conn, CLOSE_TLS_FAILED);
        return;
    }
}

static void control_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);

    CHECK(conn->phase != PHASE_FREE);
    if (!conn->close_submitted && result > 0) {
        struct ktls_record *record = conn->control_record;

        take_control(conn, ktls_record_type(record), bytes_of(record->data, (size_t)result));
    } else if (!conn->close_submitted && result == 0) {
        conn_receive_end(conn);
    } else if (!conn->close_submitted) {
        conn_close_now(conn, CLOSE_IO_ERROR);
    }
    if (conn->phase == PHASE_CLOSING) {
        conn_close_join(conn);
    }
}

void kernel_tls_receive_control(struct conn *conn)
{
    if (conn->receive_blocked) {
        return;
    }
    if (!tls_take_record(conn, &conn->control_record)) {
        conn_close_now(conn, CLOSE_IO_ERROR);
        return;
    }
    ktls_record_prepare_receive(conn->control_record);
    op_init(&conn->recv_op, control_on_complete);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->recv_op);

    io_uring_prep_recvmsg(sqe, conn->fd, &conn->control_record->header, 0);
}

static void rekey_on_sent(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, send_op);
    struct rekey *rekey = conn->rekey;

    CHECK(conn->phase != PHASE_FREE);
    conn_send_restore(conn);
    if (!conn->close_submitted &&
        (result <= 0 || ktls_rekey_send(conn->fd, rekey->suite, &rekey->secrets) != 0)) {
        conn_close_now(conn, CLOSE_IO_ERROR);
    }
    conn_send_wake(conn);
    if (conn->phase == PHASE_CLOSING) {
        conn_close_join(conn);
    }
}

/* Our KeyUpdate is the last record under the old key, so nothing else may be in flight beside it.
 */
void kernel_tls_answer_rekey(struct conn *conn)
{
    static const uint8_t key_update[] = {24, 0, 0, 1, 0};

    CHECK(!conn->send_op.in_flight);
    conn->rekey->answer_wanted = false;
    ktls_record_prepare_send(&conn->rekey->record, KTLS_RECORD_HANDSHAKE,
                             bytes_of(key_update, sizeof key_update));
    op_init(&conn->send_op, rekey_on_sent);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->send_op);

    io_uring_prep_sendmsg(sqe, conn->fd, &conn->rekey->record.header, MSG_NOSIGNAL);
}
