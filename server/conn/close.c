#include "server/conn/close.h"

#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/probe.h"
#include "server/conn/conn.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"

struct phase_closing {
    uint64_t started_ms;
    uint64_t lingers_from_ms; /* a stop makes it shorter, and begins it again */
    bool waits_for_close;     /* the peer's, after ours */
    bool was_idle;            /* it waited for the peer alone, not for the end of an answer */
    bool is_done; /* the peer owes us nothing more: closed as soon as all of ours is sent */
    struct ws_close_watch watch;
};
_Static_assert(sizeof(struct phase_closing) <= PHASE_STATE_BYTES, "it fits a connection");

static struct phase_closing *state_of(struct conn *conn)
{
    return (struct phase_closing *)(void *)conn->phase_state;
}

static void enter_closing(struct conn *conn, enum close_reason reason)
{
    CHECK(conn->phase != PHASE_FREE);
    if (conn->phase == PHASE_CLOSING) {
        return;
    }
    conn->close_reason = reason;
    close_reason_count(reason, &conn->worker->counters);
    conn_enter_phase(conn, PHASE_CLOSING);
}

enum { END_LOOK_MS = 50 }; /* no event tells that TCP has sent all */

static void conn_close_join(struct conn *conn);
static void arm_deadline(struct conn *conn);

static void arm_look(struct conn *conn)
{
    timer_arm(&conn->worker->timers, &conn->deadline, conn->worker->now_ms + END_LOOK_MS);
}

static void op_on_complete_ignored(struct op *op, struct conn *conn)
{
    CHECK(!op->in_flight);
    if (conn->phase == PHASE_CLOSING) { /* not if it was only held */
        conn_close_join(conn);
    }
}

static void notify_on_complete(struct op *op, int result, uint32_t flags)
{
    op_on_complete_ignored(op, container_of(op, struct conn, notify_op));
}

static void cancel(struct conn *conn, const struct op *target, struct op *cancel_op)
{
    if (target->in_flight && !cancel_op->in_flight) {
        struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, cancel_op);

        io_uring_prep_cancel64(sqe, op_user_data(target), 0);
    }
}

static const struct op *send_of(const struct conn *conn)
{
    return conn->notify_op.in_flight ? &conn->notify_op : &conn->send_op;
}

/* It may have found nothing, although the operation is not complete, but between two steps; or it
 * was of an operation before this one. */
static void take_cancel(struct conn *conn, const struct op *target, struct op *cancel_op)
{
    CHECK(!cancel_op->in_flight);
    if (target->in_flight && (conn->is_held || conn->cancels_again)) {
        cancel(conn, target, cancel_op);
    } else {
        op_on_complete_ignored(cancel_op, conn);
    }
}

static void cancel_receive_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, cancel_receive_op);

    take_cancel(conn, &conn->recv_op, op);
}

static void cancel_send_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, cancel_send_op);

    take_cancel(conn, send_of(conn), op);
}

static void close_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, close_op);

    CHECK(result == 0);
    conn->fd = -1;
    op_on_complete_ignored(op, conn);
}

void conn_close_init(struct conn *conn)
{
    op_init(&conn->notify_op, notify_on_complete);
    op_init(&conn->cancel_receive_op, cancel_receive_on_complete);
    op_init(&conn->cancel_send_op, cancel_send_on_complete);
    op_init(&conn->close_op, close_on_complete);
    conn->peer_ended = false;
    conn->receive_blocked = false;
    conn->notify_submitted = false;
    conn->fin_sent = false;
    conn->discard_unsent = false;
    conn->close_submitted = false;
    conn->cancels_again = false;
}

/* close_notify (RFC 8446 §6.1) tells the peer that nothing was cut off. True: it is sent, or there
 * is none. */
static bool is_notified(struct conn *conn)
{
    if (conn->transport->notify == NULL || conn->notify_submitted) {
        return !conn->notify_op.in_flight;
    }
    conn->notify_submitted = conn->transport->notify(conn);
    return conn->notify_submitted && !conn->notify_op.in_flight;
}

/* True: neither a FIN nor a close would cut off anything that the kernel has taken. */
static bool is_passed_on(const struct conn *conn)
{
    return conn->transport->is_passed_on == NULL || conn->transport->is_passed_on(conn);
}

/* A plain call: it does not block, and the ring would hand it to a thread that looks the descriptor
 * up later, when its number may belong to another connection. */
static void send_fin(struct conn *conn)
{
    CHECK(!conn->fin_sent && conn_send_idle(conn));
    shutdown(conn->fd, SHUT_WR);
    conn->fin_sent = true;
}

/* Linked to what follows by a hard link: a cancel that comes too late fails, and the close must
 * follow all the same. By operation, not by descriptor, which would search everything in the ring.
 */
static void submit_cancel(struct conn *conn, const struct op *target, struct op *cancel_op)
{
    if (cancel_op->in_flight) { /* since it was held; perhaps of an operation before this one */
        conn->cancels_again = true;
        return;
    }
    if (!target->in_flight) {
        return;
    }
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, cancel_op);

    io_uring_prep_cancel64(sqe, op_user_data(target), 0);
    sqe->flags |= IOSQE_IO_HARDLINK;
}

/* The kernel would go on offering what is unsent to a peer that takes nothing, outside all our
 * bounds. */
static void discard_unsent(const struct conn *conn)
{
    const struct linger linger = {.l_onoff = 1, .l_linger = 0};

    if (conn->discard_unsent) {
        setsockopt(conn->fd, SOL_SOCKET, SO_LINGER, &linger, sizeof linger);
    }
}

/* Closing without the cancels would leave an armed receive, which keeps the connection open. */
static void submit_close(struct conn *conn)
{
    struct ring *ring = &conn->worker->ring;

    CHECK(conn->phase == PHASE_CLOSING && !conn->close_submitted);
    discard_unsent(conn);
    ring_reserve(ring, 3);
    submit_cancel(conn, &conn->recv_op, &conn->cancel_receive_op);
    submit_cancel(conn, send_of(conn), &conn->cancel_send_op);
    struct io_uring_sqe *sqe = ring_sqe(ring, &conn->close_op);

    io_uring_prep_close(sqe, conn->fd);
    conn->close_submitted = true;
    unfinished_remove(&conn->table->unfinished, conn);
}

static bool is_quiet(const struct conn *conn)
{
    return !conn->recv_op.in_flight && !conn->send_op.in_flight && !conn->notify_op.in_flight &&
           !conn->cancel_receive_op.in_flight && !conn->cancel_send_op.in_flight &&
           !conn->close_op.in_flight;
}

/* The only place where a connection ends, or is given up for another worker's. */
static void give_up(struct conn *conn)
{
    CHECK(is_quiet(conn));
    CHECK(conn->fd == -1);
    conn_enter_phase(conn, PHASE_FREE);
    CHECK(list_empty(&conn->booking_node) && list_empty(&conn->subscriber.node));
    conn_send_abandon(conn);
    send_queue_clear(&conn->subscriber.queue, conn->worker);
    if (conn->transport->release != NULL) {
        conn->transport->release(conn);
    }
    list_remove(&conn->ready_node);
    list_remove(&conn->starved_node);
    timer_disarm(&conn->liveness);
    timer_disarm(&conn->expiry);
    conn_table_put(conn->table, conn);
}

static void release(struct conn *conn)
{
    counters_increment(&conn->worker->counters, connections_closed);
    PROBE4(close, conn->serial, (int)conn->close_reason, conn->bytes_sent, conn->messages_sent);
    give_up(conn);
}

void conn_close_moved(struct conn *conn)
{
    CHECK(conn->phase == PHASE_HTTP && !conn->close_submitted);
    if (conn->transport->let_go != NULL) {
        conn->transport->let_go(conn);
    }
    conn->fd = -1;
    conn_table_pass_place(conn->table, conn);
    give_up(conn);
}

void conn_close_given(struct conn *conn)
{
    CHECK(conn->is_held && conn->given > 0);
    CHECK(close(conn->fd) == 0);
    conn->fd = -1;
    give_up(conn);
}

/* Holds whenever something of a close has happened. */
static void check_close(const struct conn *conn)
{
    CHECK(conn->phase == PHASE_CLOSING);
    CHECK(conn->notify_submitted || !conn->notify_op.in_flight);
    CHECK(conn->close_submitted || !conn->close_op.in_flight);
    /* Nothing may go out behind the FIN, which says that nothing was cut off. */
    CHECK(!conn->fin_sent || !conn->send_op.in_flight);
}

/* After each completion while closing: goes on with the close; may release the connection, which is
 * not ours after that. */
static void conn_close_join(struct conn *conn)
{
    check_close(conn);
    if (conn->close_submitted) {
        if (is_quiet(conn)) {
            release(conn);
        }
        return;
    }
    if (!conn_send_idle(conn) || !is_notified(conn)) {
        return;
    }
    if (!is_passed_on(conn)) {
        arm_look(conn);
        return;
    }
    if (!conn->fin_sent) {
        send_fin(conn);
        arm_deadline(conn); /* a look may have been due sooner */
    }
    if (conn->peer_ended || state_of(conn)->is_done) {
        submit_close(conn);
    }
}

void conn_close_begin(struct conn *conn, enum close_reason reason)
{
    enter_closing(conn, reason);
    conn_close_join(conn);
}

void conn_close_idle(struct conn *conn, enum close_reason reason)
{
    enter_closing(conn, reason);
    state_of(conn)->was_idle = true;
    state_of(conn)->is_done = true;
    conn_close_join(conn);
}

void conn_close_saying(struct conn *conn, enum close_reason reason, struct message *last,
                       const struct ws_close_watch *watch)
{
    CHECK(conn->phase != PHASE_CLOSING);
    enter_closing(conn, reason);
    if (watch != NULL) {
        state_of(conn)->watch = *watch;
        state_of(conn)->waits_for_close = true;
    }
    if (last != NULL) {
        conn_send(conn, last);
    }
    conn_close_join(conn);
}

/* close_notify, or what is in front of it, waits for room in the kernel. */
static bool is_end_waiting(const struct conn *conn)
{
    return conn->notify_op.in_flight ||
           (conn->notify_submitted && conn_send_idle(conn) && !is_passed_on(conn));
}

void conn_close_now(struct conn *conn, enum close_reason reason)
{
    enter_closing(conn, reason);
    if (!conn->close_submitted) {
        conn->discard_unsent =
            reason == CLOSE_NO_PONG || !conn_send_idle(conn) || is_end_waiting(conn);
        submit_close(conn);
    }
}

bool conn_close_oldest(struct conn_table *table)
{
    struct conn *oldest = unfinished_oldest(&table->unfinished);

    if (oldest == NULL) {
        return false;
    }
    conn_close_now(oldest, CLOSE_EVICTED);
    counters_increment(&oldest->worker->counters, connections_evicted); /* closing already or not */
    conn_table_vacate(table, oldest);
    return true;
}

void conn_close_cancel(struct conn *conn)
{
    CHECK(conn->phase != PHASE_CLOSING && !conn->close_submitted);
    cancel(conn, &conn->recv_op, &conn->cancel_receive_op);
    cancel(conn, &conn->send_op, &conn->cancel_send_op);
}

void conn_close_count_memory(struct conn *conn)
{
    counters_increment(&conn->worker->counters, http_refused_memory);
    worker_alarm(conn->worker, ALARM_REQUEST_MEMORY);
}

void conn_close_for_memory(struct conn *conn)
{
    conn_close_count_memory(conn);
    conn_close_now(conn, CLOSE_IO_ERROR);
    conn_close_oldest(conn->table);
}

static uint64_t linger_ms(const struct conn *conn)
{
    return conn->worker->stopping ? STOP_LINGER_MS : CLOSE_LINGER_MS;
}

static void arm_deadline(struct conn *conn)
{
    timer_arm(&conn->worker->timers, &conn->deadline, conn->worker->now_ms + linger_ms(conn));
}

static void begin_linger(struct conn *conn)
{
    conn_send_taken_since(conn, 0); /* what it took until now is none of the next time's */
    state_of(conn)->lingers_from_ms = conn->worker->now_ms;
    arm_deadline(conn);
}

/* No deadline was looked at since the linger began: one turn took all of it, and what was to be
 * sent to the peer may have left at its end. */
static bool was_held_up(struct conn *conn)
{
    return state_of(conn)->lingers_from_ms >= conn->worker->timers_ran_ms;
}

/* The peer takes what waits for it, now and then; or its time to do so is not over yet. */
static bool is_taking(struct conn *conn)
{
    uint64_t now_ms = conn->worker->now_ms;
    uint64_t from_ms = now_ms > linger_ms(conn) ? now_ms - linger_ms(conn) : 0;

    return conn_send_taken_since(conn, from_ms) || state_of(conn)->lingers_from_ms > from_ms ||
           was_held_up(conn);
}

static void closing_on_enter(struct conn *conn)
{
    *state_of(conn) = (struct phase_closing){.started_ms = conn->worker->now_ms};
    if (!unfinished_has(conn)) {
        unfinished_add(&conn->table->unfinished, conn); /* it has no other place any more */
    }
    begin_linger(conn);
}

/* A connection that is closing already does not hold up a stop. */
static void closing_on_end(struct conn *conn, enum close_reason reason)
{
    if (reason == CLOSE_DRAIN && !conn->close_submitted) {
        begin_linger(conn);
    }
}

/* Bytes that the peer still sends are read and discarded: closing with unread bytes would send a
 * reset, which can destroy our last bytes on their way. The peer's Close is the last of them; then
 * the server ends the connection (RFC 6455 §7.1.1), because many clients leave that to it. */
static void closing_on_bytes(struct conn *conn, struct bytes bytes)
{
    struct phase_closing *closing = state_of(conn);

    if (closing->waits_for_close && ws_close_watch_read(&closing->watch, bytes)) {
        closing->is_done = true;
    }
}

/* A half-closed peer still gets what is queued; the deadline bounds it. */
static void closing_on_eof(struct conn *conn)
{
    CHECK(conn->peer_ended);
}

/* Whether the peer is owed more time than a goodbye may take. A long answer (lists, status) takes a
 * slow reader longer. And while close_notify waits for room, what is in front of it is still on its
 * way: kernel TLS would cut that off. */
static bool has_more_to_say(struct conn *conn)
{
    bool answers = conn->close_reason == CLOSE_HTTP_DONE && !state_of(conn)->was_idle;
    bool stopping = conn->worker->stopping;
    uint64_t timeout_ms =
        stopping ? STOP_DEADLINE_MS : (uint64_t)conn->table->shared->config->write_timeout_ms;

    if (conn->close_submitted || conn->worker->now_ms - state_of(conn)->started_ms >= timeout_ms) {
        return false;
    }
    if (stopping) {
        return (is_end_waiting(conn) || !conn_send_idle(conn)) && is_taking(conn);
    }
    if (is_end_waiting(conn)) {
        return answers || is_taking(conn);
    }
    if (!conn_send_idle(conn)) {
        return answers;
    }
    return conn->transport->notify != NULL && !conn->notify_submitted; /* no memory yet */
}

/* An end that waited until now still has its time to reach the peer. */
static bool can_end(struct conn *conn)
{
    return !conn->close_submitted && !conn->fin_sent && conn->notify_submitted &&
           conn_send_idle(conn) && !is_end_waiting(conn);
}

static void closing_on_deadline(struct conn *conn)
{
    if (has_more_to_say(conn) || can_end(conn)) {
        arm_deadline(conn);
        conn_close_join(conn); /* for close_notify without memory, and for an end that waited */
        return;
    }
    conn_close_now(conn, conn->close_reason);
}

const struct phase_ops phase_closing_ops = {
    .on_enter = closing_on_enter,
    .on_bytes = closing_on_bytes,
    .on_eof = closing_on_eof,
    .on_deadline = closing_on_deadline,
    .on_failed = conn_close_now,
    .on_completed = conn_close_join,
    .on_end = closing_on_end,
};
