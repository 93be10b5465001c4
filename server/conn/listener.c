#include "server/conn/listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/phase_tls.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"

static void refuse(struct worker *worker, int fd)
{
    counters_increment(&worker->counters, connections_refused_limit);
    close(fd); /* after the count: who sees the one sees the other */
    worker_alarm(worker, ALARM_CONNECTIONS);
}

/* Out of descriptors or memory: the connection stays in the backlog; an immediate retry would spin.
 */
static void pause_accept(struct listener *listener, int error)
{
    struct worker *worker = listener->table->worker;

    listener->paused = true;
    counters_increment(&worker->counters, accept_pauses);
    timer_arm(&worker->timers, &listener->table->accept_retry, worker->now_ms + ACCEPT_RETRY_MS);
    alarms_raise(&worker->alarms, ALARM_DESCRIPTORS, worker->now_ms, strerror(-error));
}

/* Errors of one connection that is gone; all others would come again at once. */
static bool is_of_connection(int error)
{
    return error == -ECONNABORTED || error == -EPROTO || error == -EINTR;
}

static void accept_on_complete(struct op *op, int result, uint32_t flags)
{
    struct listener *listener = container_of(op, struct listener, accept_op);
    struct conn_table *table = listener->table;

    if (result >= 0 && table->worker->stopping) {
        close(result);
    } else if (result >= 0) {
        conn_open(table, result, listener->role);
    } else if (!is_of_connection(result) && !table->worker->stopping) {
        pause_accept(listener, result);
    }
    if (!op->in_flight && !listener->paused && !table->worker->stopping) {
        listener_start(listener);
    }
}

void listener_start(struct listener *listener)
{
    struct worker *worker = listener->table->worker;

    CHECK(listener->fd >= 0);
    op_init(&listener->accept_op, accept_on_complete);
    struct io_uring_sqe *sqe = ring_sqe(&worker->ring, &listener->accept_op);

    io_uring_prep_multishot_accept(sqe, listener->fd, NULL, NULL, SOCK_CLOEXEC);
}

void listener_on_retry(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, accept_retry);

    for (unsigned i = 0; i < table->listeners_count; i++) {
        if (table->listeners[i].paused) {
            table->listeners[i].paused = false;
            listener_start(&table->listeners[i]);
        }
    }
}

/* shutdown ends the armed accept with an error; close alone would leave it in the kernel. */
void listener_stop(struct listener *listener)
{
    if (listener->fd >= 0) {
        shutdown(listener->fd, SHUT_RDWR);
        close(listener->fd);
        listener->fd = -1;
    }
}

static void on_deadline(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, deadline);

    conn_phase_ops(conn)->on_deadline(conn);
}

void conn_open(struct conn_table *table, int fd, enum listener_role role)
{
    struct worker *worker = table->worker;
    struct conn *conn = conn_table_take(table);

    if (conn == NULL) {
        refuse(worker, fd);
        return;
    }
    CHECK(conn->phase == PHASE_FREE);
    conn->fd = fd;
    conn->worker = worker;
    conn->table = table;
    conn->role = role;
    conn->serial = ++table->serial_last;
    conn->messages_sent = 0;
    conn->bytes_sent = 0;
    conn->bytes_acked = 0;
    conn->taken_ms = 0;
    conn->first_sent_ms = 0;
    list_init(&conn->booking_node);
    list_init(&conn->starved_node);
    list_init(&conn->subscriber.node);
    timer_init(&conn->deadline, on_deadline);
    timer_init(&conn->liveness, NULL);
    timer_init(&conn->expiry, NULL);
    conn_receive_init(conn);
    conn_send_init(conn);
    conn_close_init(conn);
    counters_increment(&worker->counters, connections_accepted);
    conn->transport = &transport_plain;
    if (table->shared->tls != NULL) {
        conn_enter_phase(conn, PHASE_TLS);
        tls_start(conn);
    } else {
        conn_enter_phase(conn, PHASE_HTTP);
        conn_receive_start(conn);
    }
}
