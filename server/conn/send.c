/* The one send of a connection. Never more than one is in flight on a socket: two could interleave.
 */
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "server/conn/conn.h"

_Static_assert(sizeof(struct msghdr) <= 4 * sizeof(struct iovec), "a msghdr fits in four slices");

static void on_queued(struct subscriber *subscriber)
{
    struct conn *conn = container_of(subscriber, struct conn, subscriber);

    if (!conn->send_op.in_flight && list_empty(&conn->ready_node)) {
        list_append(&conn->table->ready, &conn->ready_node);
    }
}

static void send_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, send_op);
    struct send_queue *queue = &conn->subscriber.queue;
    struct worker *worker = conn->worker;

    CHECK(conn->phase != PHASE_FREE);
    unsigned completed = send_queue_end(queue, worker, result > 0 ? (size_t)result : 0);

    if (result > 0) {
        conn->send_progress_ms = worker->now_ms;
        conn->messages_sent += completed;
        conn->bytes_sent += (uint64_t)result;
        counters_add(&worker->counters, messages_sent, completed);
        counters_add(&worker->counters, bytes_sent, (uint64_t)result);
        if (queue->sent_offset > 0) {
            counters_increment(&worker->counters, sends_short);
        }
    }
    if (result <= 0 && !conn->close_submitted) {
        /* The receive tells reliably how the connection ended; a send that fails only ends it. */
        conn_close_now(conn,
                       result == -EPIPE || result == -ECONNRESET ? CLOSE_BY_PEER : CLOSE_IO_ERROR);
    } else if (!send_queue_empty(queue)) {
        on_queued(&conn->subscriber);
    } else if (conn_phase_ops(conn)->on_sent != NULL) {
        conn_phase_ops(conn)->on_sent(conn);
    }
    if (conn->phase == PHASE_CLOSING) {
        conn_close_join(conn);
    }
}

void conn_send_init(struct conn *conn)
{
    op_init(&conn->send_op, send_on_complete);
    list_init(&conn->ready_node);
    send_queue_init(&conn->subscriber.queue);
    conn->subscriber.on_queued = on_queued;
}

bool conn_send(struct conn *conn, struct message *message)
{
    message->is_control = true;
    bool queued = send_queue_push(&conn->subscriber.queue, conn->worker,
                                  &conn->table->shared->bounds, &message->home_share);

    share_unref(conn->worker, &message->home_share);
    if (queued) {
        on_queued(&conn->subscriber);
    }
    return queued;
}

static void prepare_many(struct io_uring_sqe *sqe, struct conn *conn, struct iovec *slices,
                         unsigned count)
{
    /* The header of the call lives behind its slices, as long as they do: until the submit. */
    struct msghdr *header = (struct msghdr *)(void *)(slices + SEND_SLICES_MAX);

    *header = (struct msghdr){.msg_iov = slices, .msg_iovlen = count};
    io_uring_prep_sendmsg(sqe, conn->fd, header, MSG_NOSIGNAL);
}

void conn_send_next(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct send_queue *queue = &conn->subscriber.queue;

    if (conn->send_op.in_flight || conn->close_submitted || send_queue_empty(queue)) {
        return;
    }
    struct iovec one[1];

    /* First of all: getting a slot may submit, and slices taken before that would be given out
     * again. */
    ring_reserve(&worker->ring, 1);
    bool many = queue->count > 1;
    struct iovec *slices = many ? ring_iovecs(&worker->ring, SEND_SLICES_MAX + 4) : one;
    unsigned count = send_queue_begin(queue, worker, &conn->table->shared->bounds, slices,
                                      many ? SEND_SLICES_MAX : 1);

    if (count == 0) {
        return; /* what waited became too old */
    }
    struct io_uring_sqe *sqe = ring_sqe(&worker->ring, &conn->send_op);

    if (count == 1) {
        io_uring_prep_send(sqe, conn->fd, slices[0].iov_base, slices[0].iov_len, MSG_NOSIGNAL);
    } else {
        prepare_many(sqe, conn, slices, count);
    }
    counters_increment(&worker->counters, sends_submitted);
    conn->send_progress_ms = worker->now_ms;
    if (!conn->deadline.armed) {
        timer_arm(&worker->timers, &conn->deadline,
                  worker->now_ms + (uint64_t)conn->table->shared->config->write_timeout_ms);
    }
}

bool conn_send_stalled(const struct conn *conn)
{
    return conn->send_op.in_flight && conn->worker->now_ms - conn->send_progress_ms >=
                                          (uint64_t)conn->table->shared->config->write_timeout_ms;
}
