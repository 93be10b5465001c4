#include "server/admin/draining.h"

#include "base/check.h"
#include "server/websocket/phase_websocket.h"

/* One that may also publish counts as a publisher: an experiment goes last. */
static bool is_to_leave(const struct conn_table *table, const struct conn *conn)
{
    return conn->phase == PHASE_WEBSOCKET &&
           (table->drain_whole || !phase_websocket_seen(conn)->can_write);
}

static uint32_t leavers_of(const struct conn_table *table)
{
    uint32_t count = 0;

    list_for_each(node, &table->open)
    {
        count += is_to_leave(table, container_of(node, struct conn, open_node));
    }
    return count;
}

/* The oldest ones. */
static void close_some(struct conn_table *table, uint64_t count)
{
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (count > 0 && is_to_leave(table, conn)) {
            conn_end(conn, CLOSE_DRAIN);
            count--;
        }
    }
}

static bool is_over(const struct conn_table *table, uint32_t leavers)
{
    return table->worker->now_ms >= table->drain_until_ms ||
           (table->drain_whole ? table->open_count == 0 : leavers == 0);
}

/* As many may be left as time is. */
static void on_tick(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, drain_timer);
    uint64_t now_ms = table->worker->now_ms;
    uint64_t left_ms = table->drain_even_ms > now_ms ? table->drain_even_ms - now_ms : 0;
    uint64_t may_stay =
        (table->drain_viewers * left_ms + table->drain_time_ms - 1) / table->drain_time_ms;
    uint32_t leavers = leavers_of(table);

    if (leavers > may_stay) {
        close_some(table, leavers - may_stay);
    }
    if (is_over(table, leavers)) {
        CHECK(atomic_fetch_sub(&table->shared->drains, 1) > 0);
        return;
    }
    timer_arm(&table->worker->timers, timer, now_ms + DRAINING_TICK_MS);
}

/* Closes evenly over the first of the times, and is over after the second. */
static void start(struct conn_table *table, uint64_t even_ms, uint64_t whole_ms)
{
    uint64_t now_ms = table->worker->now_ms;

    table->drain_time_ms = even_ms;
    table->drain_even_ms = now_ms + even_ms;
    table->drain_until_ms = now_ms + whole_ms;
    table->drain_viewers = leavers_of(table);
    timer_init(&table->drain_timer, on_tick);
    timer_arm(&table->worker->timers, &table->drain_timer, now_ms);
}

void draining_start_after_handover(struct conn_table *table, uint64_t duration_ms)
{
    table->drain_whole = true;
    start(table, duration_ms / DRAINING_HANDOVER_SHARE + 1, duration_ms);
}

void draining_start(struct conn_table *table, uint64_t duration_ms)
{
    CHECK(duration_ms > 0);
    start(table, duration_ms, duration_ms);
}

void draining_stop(struct conn_table *table)
{
    if (table->drain_timer.armed) {
        timer_disarm(&table->drain_timer);
    }
}
