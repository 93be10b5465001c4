#include "server/conn/listener.h"

#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "base/probe.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"

static void refuse(struct worker *worker, int fd)
{
    counters_increment(&worker->counters, connections_refused_limit);
    close(fd); /* after the count, so that a peer that sees the close finds it counted */
    worker_alarm(worker, ALARM_CONNECTIONS);
}

/* Out of descriptors or memory: the connection stays in the backlog; an immediate retry would spin.
 */
static void pause_accept(struct listener *listener, int error)
{
    struct worker *worker = listener->table->worker;

    CHECK(!listener->paused && !listener->accept_op.in_flight);
    listener->paused = true;
    counters_increment(&worker->counters, accept_pauses);
    timer_arm(&worker->timers, &listener->table->accept_retry, worker->now_ms + ACCEPT_RETRY_MS);
    alarms_raise_about(&worker->alarms, ALARM_DESCRIPTORS, worker->now_ms, "error",
                       strerror(-error));
}

/* Errors of one connection that is gone, and of a hold that is over; all others would come again at
 * once. */
static bool is_of_connection(int error)
{
    return error == -ECONNABORTED || error == -EPROTO || error == -EINTR || error == -ECANCELED;
}

static void accept_on_complete(struct op *op, int result, uint32_t flags)
{
    struct listener *listener = container_of(op, struct listener, accept_op);
    struct conn_table *table = listener->table;

    if (result >= 0 && table->worker->stopping) {
        close(result);
    } else if (result >= 0) {
        conn_open(table, result, listener->socket.role);
    } else if (!is_of_connection(result) && !table->worker->stopping && !table->accepts_held) {
        pause_accept(listener, result);
    }
    if (!op->in_flight && listener->socket.fd >= 0 && !listener->paused &&
        !table->worker->stopping && !table->accepts_held) {
        listener_start(listener);
    }
}

/* The kernel wakes the first of those that wait for a shared socket: each accepts one and goes to
 * the end, or the first would have all connections. */
void listener_start(struct listener *listener)
{
    struct worker *worker = listener->table->worker;
    int fd = listener->socket.fd;

    CHECK(fd >= 0);
    op_init(&listener->accept_op, accept_on_complete);
    struct io_uring_sqe *sqe = ring_sqe(&worker->ring, &listener->accept_op);

    if (listener->socket.is_shared) {
        io_uring_prep_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    } else {
        io_uring_prep_multishot_accept(sqe, fd, NULL, NULL, SOCK_CLOEXEC);
    }
}

void listener_on_retry(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, accept_retry);

    for (unsigned i = 0; i < table->listeners_count; i++) {
        if (table->listeners[i].paused) {
            table->listeners[i].paused = false;
            if (!table->accepts_held) {
                listener_start(&table->listeners[i]);
            }
        }
    }
}

static void cancel(struct listener *listener);

/* An accept that was just taking a connection may have been missed. */
static void cancel_on_complete(struct op *op, int result, uint32_t flags)
{
    struct listener *listener = container_of(op, struct listener, cancel_op);

    CHECK(!op->in_flight);
    if (listener->table->accepts_held || listener->table->worker->stopping) {
        cancel(listener);
    }
}

static void cancel(struct listener *listener)
{
    if (listener->accept_op.in_flight && !listener->cancel_op.in_flight) {
        op_init(&listener->cancel_op, cancel_on_complete);
        struct io_uring_sqe *sqe = ring_sqe(&listener->table->worker->ring, &listener->cancel_op);

        io_uring_prep_cancel64(sqe, op_user_data(&listener->accept_op), 0);
    }
}

/* shutdown ends the armed accept with an error; close alone would leave it in the kernel. A shared
 * socket goes on listening for the next start of the service. */
void listener_stop(struct listener *listener)
{
    if (listener->socket.fd < 0) {
        return;
    }
    if (listener->socket.is_shared) {
        cancel(listener);
    } else {
        shutdown(listener->socket.fd, SHUT_RDWR);
    }
    close(listener->socket.fd);
    listener->socket.fd = -1;
}

void listener_hold_all(struct conn_table *table)
{
    CHECK(!table->accepts_held);
    table->accepts_held = true;
    for (unsigned i = 0; i < table->listeners_count; i++) {
        cancel(&table->listeners[i]);
    }
}

bool listener_all_are_quiet(const struct conn_table *table)
{
    for (unsigned i = 0; i < table->listeners_count; i++) {
        const struct listener *listener = &table->listeners[i];

        if (listener->accept_op.in_flight || listener->cancel_op.in_flight) {
            return false;
        }
    }
    return true;
}

void listener_resume_all(struct conn_table *table)
{
    table->accepts_held = false;
    for (unsigned i = 0; i < table->listeners_count; i++) {
        struct listener *listener = &table->listeners[i];

        /* An accept that is not cancelled yet starts again when it is. */
        if (listener->socket.fd >= 0 && !listener->accept_op.in_flight && !listener->paused) {
            listener_start(listener);
        }
    }
}

void listener_let_go_all(struct conn_table *table)
{
    CHECK(table->accepts_held && listener_all_are_quiet(table));
    for (unsigned i = 0; i < table->listeners_count; i++) {
        close(table->listeners[i].socket.fd);
        table->listeners[i].socket.fd = -1;
    }
}

bool listener_is_stopped(const struct listener *listener)
{
    return !listener->accept_op.in_flight && !listener->cancel_op.in_flight &&
           listener->socket.fd < 0;
}

static void on_deadline(struct timer *timer)
{
    struct conn *conn = container_of(timer, struct conn, deadline);

    conn_phase_ops(conn)->on_deadline(conn);
}

void listener_init_conn(struct conn *conn, struct conn_table *table, int fd,
                        enum listener_role role)
{
    CHECK(conn->phase == PHASE_FREE && fd >= 0);
    conn->fd = fd;
    conn->worker = table->worker;
    conn->table = table;
    conn->role = role;
    conn->serial = ++table->serial_last;
    conn->messages_sent = 0;
    conn->bytes_sent = 0;
    conn->bytes_acked = 0;
    conn->taken_ms = 0;
    conn->first_sent_ms = 0;
    conn->is_held = false;
    conn->given = 0;
    conn->ends_later = false;
    unfinished_entry_init(&conn->unfinished);
    list_init(&conn->booking_node);
    list_init(&conn->paced_node);
    list_init(&conn->starved_node);
    list_init(&conn->subscriber.node);
    list_init(&conn->subscriber.room_node);
    timer_init(&conn->deadline, on_deadline);
    timer_init(&conn->liveness, NULL);
    timer_init(&conn->expiry, NULL);
    conn_receive_init(conn);
    conn_send_init(conn);
    conn_close_init(conn);
    unfinished_add(&table->unfinished, conn);
    conn->transport = &transport_plain;
}

void conn_open(struct conn_table *table, int fd, enum listener_role role)
{
    if (conn_table_is_full(table)) {
        conn_close_oldest(table);
    }
    struct conn *conn = conn_table_take(table);

    if (conn == NULL) {
        refuse(table->worker, fd);
        return;
    }
    listener_init_conn(conn, table, fd, role);
    counters_increment(&table->worker->counters, connections_accepted);
    PROBE3(accept, conn->serial, fd, (int)role);
    if (table->shared->tls != NULL && role != LISTENER_ADMIN) {
        conn_enter_phase(conn, PHASE_TLS);
    } else {
        conn_enter_phase(conn, PHASE_HTTP);
        conn_receive_start(conn);
    }
}
