#include "server/conn/conn.h"

#include "base/check.h"

/* The map of the server: what each phase does stands in its own file. */
static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_TLS] = &phase_tls_ops,
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

const struct phase_ops *conn_phase_ops(const struct conn *conn)
{
    CHECK(conn->phase != PHASE_FREE);
    return phases[conn->phase];
}

void conn_enter_phase(struct conn *conn, enum conn_phase phase)
{
    CHECK(conn->phase != phase);
    if (conn->phase != PHASE_FREE && phases[conn->phase]->on_leave != NULL) {
        phases[conn->phase]->on_leave(conn);
    }
    timer_disarm(&conn->deadline);
    conn->phase = phase;
    if (phase != PHASE_FREE && phases[phase]->on_enter != NULL) {
        phases[phase]->on_enter(conn);
    }
}
