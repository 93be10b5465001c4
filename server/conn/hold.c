#include "server/conn/hold.h"

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/send.h"

static bool may_be_held(const struct conn *conn)
{
    struct conn_rest rest;

    switch (conn->phase) {
    case PHASE_WEBSOCKET:
        return true;
    case PHASE_HTTP:
        return conn_phase_ops(conn)->rests != NULL && conn_phase_ops(conn)->rests(conn, &rest);
    default:
        return false;
    }
}

void hold_include(struct conn *conn)
{
    CHECK(may_be_held(conn) && !conn->is_held);
    conn->is_held = true;
    unfinished_stop_waiting(&conn->table->unfinished, conn);
    list_remove(&conn->ready_node);
    list_remove(&conn->starved_node);
    list_remove(&conn->paced_node);
    list_remove(&conn->subscriber.room_node);
    timer_disarm(&conn->deadline);
    timer_disarm(&conn->liveness);
    timer_disarm(&conn->expiry);
}

void hold_begin(struct conn_table *table, void (*done)(struct conn_table *table))
{
    CHECK(table->hold.state == HOLD_NONE);
    table->hold =
        (struct hold){.state = HOLD_BEGUN, .done = done, .began_ms = table->worker->now_ms};
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (may_be_held(conn)) {
            hold_include(conn);
            conn_close_cancel(conn);
        }
    }
}

/* Messages that waited for so long could not have been taken earlier. */
static void resume(struct conn *conn, uint64_t held_ms)
{
    conn->is_held = false;
    send_queue_delay(&conn->subscriber.queue, held_ms);
    if (conn->ends_later) {
        conn->ends_later = false;
        conn_end(conn, conn->close_reason);
        return;
    }
    conn_send_wake(conn); /* there may be something beside the queue */
    conn_phase_ops(conn)->on_resumed(conn);
}

void hold_end(struct conn_table *table)
{
    uint64_t began_ms = table->hold.began_ms;
    uint64_t held_ms = began_ms == 0 ? 0 : table->worker->now_ms - began_ms;

    table->hold = (struct hold){.state = HOLD_NONE};
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (conn->is_held) {
            resume(conn, held_ms);
        }
    }
}

static bool is_still(const struct conn *conn)
{
    return !conn->recv_op.in_flight && !conn->send_op.in_flight &&
           !conn->cancel_receive_op.in_flight && !conn->cancel_send_op.in_flight &&
           conn->subscriber.state != SUBSCRIBER_JOINING;
}

static bool all_are_still(const struct conn_table *table)
{
    list_for_each(node, &table->open)
    {
        const struct conn *conn = container_of(node, struct conn, open_node);

        if (conn->is_held && !is_still(conn)) {
            return false;
        }
    }
    return true;
}

/* Nothing of theirs completes any more, so what was found once stays so. */
bool hold_on_turn_end(struct conn_table *table)
{
    struct hold *hold = &table->hold;

    switch (hold->state) {
    case HOLD_NONE:
    case HOLD_DONE:
        return false;
    case HOLD_BEGUN:
        hold->state = all_are_still(table) ? HOLD_SETTLES : HOLD_BEGUN;
        return hold->state == HOLD_SETTLES;
    case HOLD_SETTLES:
        hold->state = HOLD_DONE;
        hold->done(table);
        return false;
    }
    UNREACHABLE();
}
