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

/* One way only: no phase comes back. */
static bool may_follow(enum conn_phase phase, enum conn_phase next)
{
    switch (phase) {
    case PHASE_FREE:
        return next == PHASE_TLS || next == PHASE_HTTP ||
               next == PHASE_WEBSOCKET; /* another program had it */
    case PHASE_TLS:
        return next == PHASE_HTTP || next == PHASE_CLOSING;
    case PHASE_HTTP:
        return next == PHASE_WEBSOCKET || next == PHASE_CLOSING ||
               next == PHASE_FREE; /* another worker has taken it */
    case PHASE_WEBSOCKET:
        return next == PHASE_CLOSING || next == PHASE_FREE; /* another program has it */
    case PHASE_CLOSING:
        return next == PHASE_FREE;
    case PHASE_COUNT:
        break;
    }
    UNREACHABLE();
}

void conn_enter_phase(struct conn *conn, enum conn_phase phase)
{
    CHECK(may_follow(conn->phase, phase));
    CHECK(phase != PHASE_FREE || conn->fd == -1);
    if (conn->phase != PHASE_FREE && ops_of(conn, conn->phase)->on_leave != NULL) {
        ops_of(conn, conn->phase)->on_leave(conn);
    }
    timer_disarm(&conn->deadline);
    conn->awaits_answer = false;
    conn->is_held = false;
    conn->phase = phase;
    unfinished_stop_waiting(&conn->table->unfinished, conn);
    if (phase == PHASE_WEBSOCKET || phase == PHASE_FREE) {
        unfinished_remove(&conn->table->unfinished, conn);
    }
    if (phase != PHASE_FREE && ops_of(conn, phase)->on_enter != NULL) {
        ops_of(conn, phase)->on_enter(conn);
    }
}

void conn_end(struct conn *conn, enum close_reason reason)
{
    if (conn->is_held) {
        conn->ends_later = true;
        conn->close_reason = reason;
        return;
    }
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
