#include "server/placement/transfer.h"

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/listener.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"

/* Nothing is in flight and nothing is about to be, in either direction. */
static bool is_still(const struct conn *conn)
{
    return !conn->recv_op.in_flight && list_empty(&conn->starved_node) && conn_send_idle(conn) &&
           !conn->notify_submitted && !conn->close_submitted;
}

bool transfer_may_begin(const struct conn *conn, const struct worker *target)
{
    CHECK(conn->phase == PHASE_HTTP && target != conn->worker);
    return is_still(conn) && !conn->peer_ended && !conn->receive_blocked && !conn->awaits_answer &&
           !conn->worker->stopping && conn->table->leaving < TRANSFERS_MAX &&
           atomic_load_explicit(&target->letters_pending, memory_order_relaxed) <
               LETTERS_PENDING_MAX;
}

static void carry_statistics(struct conn *conn, const struct transfer *transfer)
{
    conn->messages_sent = transfer->messages_sent;
    conn->bytes_sent = transfer->bytes_sent;
    conn->bytes_acked = transfer->bytes_acked;
    conn->taken_ms = transfer->taken_ms;
    conn->send_progress_ms = transfer->send_progress_ms;
    conn->first_sent_ms = transfer->first_sent_ms;
    conn->last_sent_ms = transfer->last_sent_ms;
}

/* The connection on its new worker, or NULL: there is no place or no memory for it, and nothing was
 * taken. */
static struct conn *take(struct conn_table *table, const struct transfer *transfer)
{
    struct conn *conn = conn_table_take_moved(table);

    if (conn == NULL) {
        return NULL;
    }
    listener_init_conn(conn, table, transfer->fd, transfer->role);
    conn->transport = transfer->transport;
    conn_enter_phase(conn, PHASE_HTTP);
    if (conn->transport->take_over != NULL && !conn->transport->take_over(conn, transfer->tls)) {
        conn_close_moved(conn);
        return NULL;
    }
    carry_statistics(conn, transfer);
    return conn;
}

static void run_return(struct worker *worker, struct call *call)
{
    struct transfer *transfer = container_of(call, struct transfer, call);
    struct conn *conn = transfer->from;

    CHECK(conn->worker == worker && conn->phase == PHASE_HTTP && conn->awaits_answer);
    CHECK(conn->table->leaving > 0);
    conn->table->leaving--;
    conn->awaits_answer = false;
    if (transfer->is_taken) {
        conn_close_moved(conn);
        conn = NULL;
    }
    transfer->ops->on_returned(conn, transfer);
}

/* A worker that stops takes none: it may be found drained already. */
static void run_arrive(struct worker *worker, struct call *call)
{
    struct transfer *transfer = container_of(call, struct transfer, call);
    struct conn_table *table = worker->context;
    bool may_arrive = !worker->stopping && transfer->ops->may_arrive(table, transfer);
    struct conn *conn = may_arrive ? take(table, transfer) : NULL;

    if (conn != NULL) {
        transfer->is_taken = true;
        transfer->ops->on_arrived(conn, transfer);
        conn_receive_start(conn);
    }
    transfer->call.run = run_return;
    worker_call(worker, transfer->home, &transfer->call);
}

void transfer_begin(struct transfer *transfer, struct conn *conn, struct worker *target,
                    struct bytes rest, const struct transfer_ops *ops)
{
    CHECK(transfer_may_begin(conn, target));
    conn->awaits_answer = true;
    conn->table->leaving++;
    list_remove(&conn->ready_node); /* what was to be sent is sent from there */
    *transfer = (struct transfer){.call.run = run_arrive,
                                  .ops = ops,
                                  .from = conn,
                                  .home = conn->worker,
                                  .rest = rest,
                                  .fd = conn->fd,
                                  .role = conn->role,
                                  .transport = conn->transport,
                                  .tls = &conn->tls,
                                  .messages_sent = conn->messages_sent,
                                  .bytes_sent = conn->bytes_sent,
                                  .bytes_acked = conn->bytes_acked,
                                  .taken_ms = conn->taken_ms,
                                  .send_progress_ms = conn->send_progress_ms,
                                  .first_sent_ms = conn->first_sent_ms,
                                  .last_sent_ms = conn->last_sent_ms};
    worker_call(conn->worker, target, &transfer->call);
}
