#include "server/conn/conn.h"

#include "base/check.h"

static const struct phase_ops *ops_of(const struct conn *conn, enum conn_phase phase)
{
    return conn->table->shared->phases[phase];
}

const struct phase_ops *conn_phase_ops(const struct conn *conn)
{
    CHECK(conn->phase != PHASE_FREE);
    return ops_of(conn, conn->phase);
}

void conn_enter_phase(struct conn *conn, enum conn_phase phase)
{
    CHECK(conn->phase != phase);
    if (conn->phase != PHASE_FREE && ops_of(conn, conn->phase)->on_leave != NULL) {
        ops_of(conn, conn->phase)->on_leave(conn);
    }
    timer_disarm(&conn->deadline);
    conn->awaits_answer = false;
    conn->phase = phase;
    if (phase != PHASE_FREE && ops_of(conn, phase)->on_enter != NULL) {
        ops_of(conn, phase)->on_enter(conn);
    }
}

void conn_end(struct conn *conn, enum close_reason reason)
{
    conn_phase_ops(conn)->on_end(conn, reason);
}

void conn_fail(struct conn *conn, enum close_reason reason)
{
    conn_phase_ops(conn)->on_failed(conn, reason);
}

void conn_completed(struct conn *conn)
{
    const struct phase_ops *ops = conn_phase_ops(conn);

    if (ops->on_completed != NULL) {
        ops->on_completed(conn);
    }
}
