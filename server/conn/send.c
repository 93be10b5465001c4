#include "server/conn/send.h"

#include <errno.h>
#include <linux/sockios.h>
#include <linux/tcp.h>
#include <netinet/in.h>
#include <string.h>
#include <sys/ioctl.h>

#include "base/check.h"
#include "base/probe.h"
#include "server/conn/conn.h"
#include "server/conn/transport.h"
#include "server/hub/drop_policy.h"

void conn_send_wake(struct conn *conn)
{
    CHECK(conn->phase != PHASE_FREE);
    if (!conn->send_op.in_flight && list_empty(&conn->ready_node)) {
        list_append(&conn->table->ready, &conn->ready_node);
    }
}

static void on_queued(struct subscriber *subscriber)
{
    conn_send_wake(container_of(subscriber, struct conn, subscriber));
}

bool conn_send_idle(const struct conn *conn)
{
    return !conn->send_op.in_flight && send_queue_empty(&conn->subscriber.queue) &&
           conn->tls.output.records == NULL;
}

static void count_sent(struct conn *conn, size_t wire_len, unsigned completed)
{
    struct counters *counters = &conn->worker->counters;

    conn->send_progress_ms = conn->worker->now_ms;
    conn->messages_sent += completed;
    if (completed > 0) {
        conn->last_sent_ms = conn->worker->now_ms;
        conn->first_sent_ms = conn->first_sent_ms == 0 ? conn->last_sent_ms : conn->first_sent_ms;
    }
    conn->bytes_sent += wire_len;
    PROBE3(send_done, conn->serial, wire_len, completed);
    counters_add(counters, messages_sent, completed);
    counters_add(counters, bytes_sent, wire_len);
    if (conn->subscriber.queue.sent_offset > 0 || conn->tls.output.records != NULL) {
        counters_increment(counters, sends_short);
    }
}

/* A batch is what one send serves: entries of the queue and, in user space, the records made of
 * them. It outlives a send that ends short, so it ends here only, both parts together. Returns the
 * number of messages that are completely sent. */
static unsigned end_batch(struct conn *conn, size_t plain_len)
{
    struct send_queue *queue = &conn->subscriber.queue;

    CHECK(!conn->send_op.in_flight);
    if (conn->tls.output.records != NULL) {
        block_pool_put(conn->tls.output.pool, conn->tls.output.records);
    }
    conn->tls.output = (struct tls_output){0};
    return queue->in_flight > 0 ? send_queue_end(queue, conn->worker, plain_len) : 0;
}

void conn_send_abandon(struct conn *conn)
{
    end_batch(conn, 0);
}

static void take_sent(struct conn *conn, size_t wire_len)
{
    uint64_t payload_before = conn->subscriber.queue.payload_sent;
    size_t plain_len;

    if (!conn->transport->on_sent(conn, wire_len, &plain_len)) {
        count_sent(conn, wire_len, 0); /* some records are still to go */
        return;
    }
    unsigned completed = end_batch(conn, plain_len);

    count_sent(conn, wire_len, completed);
    topic_counts_add(conn->subscriber.counts, messages_sent, completed);
    topic_counts_add(conn->subscriber.counts, bytes_sent,
                     conn->subscriber.queue.payload_sent - payload_before);
}

/* Nothing of this send was taken. Records that are made are sent, whenever that is. */
static void take_cancelled(struct conn *conn)
{
    struct send_queue *queue = &conn->subscriber.queue;

    if (conn->tls.output.records == NULL && queue->in_flight > 0) {
        send_queue_end(queue, conn->worker, 0);
    }
    conn_send_wake(conn);
}

static void take_failure(struct conn *conn, int error)
{
    if (error == -ECANCELED && !conn->close_submitted) {
        take_cancelled(conn); /* it was held, and may go on already */
        return;
    }
    conn_send_abandon(conn);
    if (!conn->close_submitted) {
        /* The receive tells reliably how the connection ended; a send that fails only ends it. */
        conn_fail(conn, error == -EPIPE || error == -ECONNRESET ? CLOSE_BY_PEER : CLOSE_IO_ERROR);
    }
}

static void send_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, send_op);

    CHECK(conn->phase != PHASE_FREE);
    if (result <= 0) {
        take_failure(conn, result);
    } else {
        take_sent(conn, (size_t)result);
        if (!conn_send_idle(conn)) {
            conn_send_wake(conn);
        } else if (conn_phase_ops(conn)->on_sent != NULL) {
            conn_phase_ops(conn)->on_sent(conn);
        }
    }
    conn_completed(conn);
}

void conn_send_restore(struct conn *conn)
{
    op_init(&conn->send_op, send_on_complete);
}

void conn_send_init(struct conn *conn)
{
    conn_send_restore(conn);
    conn->tls.output = (struct tls_output){0};
    list_init(&conn->ready_node);
    send_queue_init(&conn->subscriber.queue);
    conn->subscriber.lag = (struct lag){0};
    conn->subscriber.counts = NULL;
    conn->subscriber.state = SUBSCRIBER_LIVE;
    conn->subscriber.join = NULL;
    conn->subscriber.on_queued = on_queued;
    conn->subscriber.on_dropped = NULL;
    conn->subscriber.on_wants_key = NULL;
}

bool conn_send(struct conn *conn, struct message *message)
{
    CHECK(!message_is_published(message));
    bool queued = drop_policy_push(&conn->subscriber, conn->worker, &conn->table->shared->bounds,
                                   &message->home_share);

    share_unref(conn->worker, &message->home_share);
    if (queued) {
        conn_send_wake(conn);
    }
    return queued;
}

void conn_send_next(struct conn *conn)
{
    struct worker *worker = conn->worker;

    if (conn->send_op.in_flight || conn->is_held || conn->close_submitted ||
        conn->notify_submitted) {
        return;
    }
    drop_policy_drop_old(&conn->subscriber, worker, &conn->table->shared->bounds);
    if (!conn->transport->send_next(conn)) {
        return;
    }
    counters_increment(&worker->counters, sends_submitted);
    conn->send_progress_ms = worker->now_ms;
    if (!conn->deadline.armed) {
        timer_arm(&worker->timers, &conn->deadline, conn_send_look_ms(conn));
    }
}

/* Several ask, at times of their own, so what one look found is kept for all: when the peer took
 * bytes last. True: something waits, be it in the kernel or, where that has nothing at this moment
 * because it encrypts more slowly than the peer reads, still in front of it. */
static bool look(struct conn *conn)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;
    int unsent = 0;

    /* A completion says only that the kernel had room, and it wakes a sender late: a slow peer
     * takes bytes long before. What waits grows by our own sends, so only what was acknowledged
     * tells of the peer. */
    if (ioctl(conn->fd, SIOCOUTQ, &unsent) != 0 ||
        getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) != 0) {
        return false;
    }
    if (info.tcpi_bytes_acked != conn->bytes_acked) {
        conn->bytes_acked = info.tcpi_bytes_acked;
        conn->taken_ms = conn->worker->now_ms;
    }
    return unsent > 0 || !conn_send_idle(conn) || conn->notify_op.in_flight;
}

bool conn_send_taken_since(struct conn *conn, uint64_t since_ms)
{
    return look(conn) && conn->taken_ms > since_ms;
}

bool conn_send_stalled(struct conn *conn)
{
    if (!conn->send_op.in_flight) {
        return false;
    }
    look(conn);
    uint64_t progress_ms =
        conn->taken_ms > conn->send_progress_ms ? conn->taken_ms : conn->send_progress_ms;

    return conn->worker->now_ms - progress_ms >=
           (uint64_t)conn->table->shared->config->write_timeout_ms;
}

uint64_t conn_send_look_ms(const struct conn *conn)
{
    uint64_t timeout_ms = (uint64_t)conn->table->shared->config->write_timeout_ms;

    return conn->worker->now_ms + (timeout_ms + 3) / 4;
}
