#include "server/admin/draining.h"

#include "base/check.h"
#include "server/websocket/phase_websocket.h"

/* One that may also publish counts as a publisher: an experiment goes last. */
static bool is_viewer(const struct conn *conn)
{
    return conn->phase == PHASE_WEBSOCKET && !phase_websocket_seen(conn)->can_write;
}

static uint32_t viewers_of(const struct conn_table *table)
{
    uint32_t count = 0;

    list_for_each(node, &table->open)
    {
        count += is_viewer(container_of(node, struct conn, open_node));
    }
    return count;
}

/* The oldest ones. */
static void close_some(struct conn_table *table, uint64_t count)
{
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (count > 0 && is_viewer(conn)) {
            conn_end(conn, CLOSE_DRAIN);
            count--;
        }
    }
}

/* As many may be left as time is. */
static void on_tick(struct timer *timer)
{
    struct conn_table *table = container_of(timer, struct conn_table, drain_timer);
    uint64_t now_ms = table->worker->now_ms;
    uint64_t left_ms = table->drain_until_ms > now_ms ? table->drain_until_ms - now_ms : 0;
    uint64_t may_stay =
        (table->drain_viewers * left_ms + table->drain_time_ms - 1) / table->drain_time_ms;
    uint32_t viewers = viewers_of(table);

    if (viewers > may_stay) {
        close_some(table, viewers - may_stay);
    }
    if (viewers == 0 || left_ms == 0) {
        CHECK(atomic_fetch_sub(&table->shared->drains, 1) > 0);
        return;
    }
    timer_arm(&table->worker->timers, timer, now_ms + DRAINING_TICK_MS);
}

void draining_start(struct conn_table *table, uint64_t duration_ms)
{
    CHECK(duration_ms > 0);
    table->drain_time_ms = duration_ms;
    table->drain_until_ms = table->worker->now_ms + duration_ms;
    table->drain_viewers = viewers_of(table);
    timer_init(&table->drain_timer, on_tick);
    timer_arm(&table->worker->timers, &table->drain_timer, table->worker->now_ms);
}

void draining_stop(struct conn_table *table)
{
    if (table->drain_timer.armed) {
        timer_disarm(&table->drain_timer);
    }
}
