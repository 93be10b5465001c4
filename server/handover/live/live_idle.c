#include "server/handover/live/live_idle.h"

#include "base/check.h"
#include "server/conn/send.h"
#include "server/handover/live/live_conn.h"
#include "server/handover/live/live_fault.h"
#include "server/handover/live/live_format.h"
#include "server/handover/live/live_scalars.h"
#include "server/handover/live/live_tls.h"

enum { FIELDS_BYTES = 512 }; /* of its record, without TLS and unread bytes */

static const struct live_scalar of_rest[] = {
    LIVE_SCALAR_BOOL(struct conn_rest, answered, LIVE_IDLE_ANSWERED),
    LIVE_SCALAR_DUE(struct conn_rest, due_ms, LIVE_IDLE_DUE_MS),
};

static struct conn_rest rest_of(const struct conn *conn)
{
    struct conn_rest rest;

    CHECK(conn_phase_ops(conn)->rests(conn, &rest));
    return rest;
}

bool live_idle_may_move(const struct conn *conn)
{
    return conn->phase == PHASE_HTTP && live_conn_may_move(conn);
}

size_t live_idle_size(const struct conn *conn)
{
    return FIELDS_BYTES + live_tls_size(conn) + rest_of(conn).unread.len;
}

bool live_idle_write(struct handover_writer *writer, const struct conn *conn)
{
    struct conn_rest rest = rest_of(conn);

    handover_writer_begin(writer, LIVE_KIND_IDLE, 1);
    live_conn_write(writer, conn);
    live_scalars_write(writer, of_rest, ARRAY_LENGTH(of_rest), &rest, conn->worker);
    handover_writer_bytes(writer, LIVE_IDLE_UNREAD, rest.unread);
    live_tls_write(writer, conn);
    return handover_writer_end(writer);
}

static bool read_rest(const struct handover_record *record, struct conn *conn, const char **fault)
{
    struct conn_rest rest = {.due_ms = conn->worker->now_ms};

    (void)!handover_reader_bytes(record, LIVE_IDLE_UNREAD, &rest.unread);
    if (!live_conn_read(record, conn) ||
        !live_scalars_read(record, of_rest, ARRAY_LENGTH(of_rest), &rest, conn->worker)) {
        return live_fault_set(fault, "a connection without a WebSocket is none");
    }
    if (!conn_phase_ops(conn)->on_returned(conn, &rest)) {
        return live_fault_set(fault, "no memory for what was received");
    }
    return (live_tls_read(record, conn, 0) && conn_send_idle(conn)) ||
           live_fault_set(fault, "a TLS connection is none, or there is no memory for it");
}

bool live_idle_read(const struct handover_record *record, struct conn_table *table, int fd,
                    struct conn **ret_conn, const char **fault)
{
    struct conn *conn = live_conn_make(record, table, fd, fault);

    *ret_conn = conn;
    if (conn == NULL) {
        return false;
    }
    conn_enter_phase(conn, PHASE_HTTP);
    hold_include(conn);
    return read_rest(record, conn, fault);
}
