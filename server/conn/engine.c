#include "server/conn/engine.h"

#include <errno.h>
#include <stdlib.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/conn.h"
#include "server/conn/listener.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/hub/stream_cache.h"
#include "server/tls/record/tls_record.h"

enum { SEALED_BYTES_MAX = 128 * 1024 }; /* stays in the cache until the kernel copies it */

int engine_init(struct conn_table *table, struct worker *worker, struct conn_shared *shared,
                const struct listener_socket *sockets, unsigned listeners_count, bool is_held)
{
    CHECK(listeners_count <= LISTENERS_MAX);
    conn_table_init(table, worker, shared);
    table->listeners_count = listeners_count;
    timer_init(&table->accept_retry, listener_on_retry);
    int failed =
        slab_init(&table->places, sizeof(struct conn), shared->connections_max + EVICTED_MAX);

    if (failed != 0) {
        return failed;
    }
    table->conns = (void *)table->places.memory;
    if (shared->tls != NULL) {
        table->plaintext = malloc(TLS_RECORD_PAYLOAD_MAX);
        if (table->plaintext == NULL) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < listeners_count; i++) {
        table->listeners[i] = (struct listener){.socket = sockets[i], .table = table};
    }
    table->accepts_held = is_held;
    if (!is_held) {
        listener_resume_all(table);
    }
    return 0;
}

void engine_deinit(struct conn_table *table)
{
    CHECK(table->open_count == 0);
    free(table->plaintext);
    slab_deinit(&table->places);
    table->conns = NULL;
}

/* Ends of tokens are of the wall clock. When it steps, or runs on through a pause in which ours
 * stands still, each is looked at anew: within a second, as a worker with timers waits no longer
 * for its next turn. A slow correction adds up to a step. */
static void follow_wall_clock(struct conn_table *table)
{
    uint64_t now_ms = table->worker->now_ms;
    int64_t ahead_ms = (int64_t)(clock_wall_ns() / 1000000u) - (int64_t)now_ms;

    if (llabs(ahead_ms - table->wall_ahead_ms) < WALL_STEP_MS_MIN) {
        return;
    }
    table->wall_ahead_ms = ahead_ms;
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        if (conn->expiry.armed) {
            timer_arm(&table->worker->timers, &conn->expiry, now_ms);
        }
    }
}

/* Records made in user space leave before those of the next viewers are made; the last ones with
 * all else of the turn. */
static void submit_if_due(struct conn_table *table)
{
    if (table->sealed_bytes >= SEALED_BYTES_MAX && !list_empty(&table->ready)) {
        ring_submit(&table->worker->ring);
        table->sealed_bytes = 0;
    }
}

static void send_ready(struct conn_table *table)
{
    table->sealed_bytes = 0;
    while (!list_empty(&table->ready)) {
        struct conn *conn = container_of(list_take_first(&table->ready), struct conn, ready_node);

        CHECK(conn->phase != PHASE_FREE);
        conn_send_next(conn);
        submit_if_due(table);
    }
}

/* Their buffers are back now; before that a new receive would only spin. */
static void receive_starved(struct conn_table *table)
{
    struct list starved;

    if (list_empty(&table->starved)) {
        return;
    }
    recv_pool_flush(&table->worker->recv_pool);
    list_take_all(&starved, &table->starved);
    while (!list_empty(&starved)) {
        struct conn *conn = container_of(list_take_first(&starved), struct conn, starved_node);

        CHECK(conn->phase != PHASE_FREE && !conn->recv_op.in_flight);
        conn_receive_start(conn);
    }
}

/* With the worker, which looks at the rest of its memory. */
static void end_period_if_due(struct conn_table *table)
{
    struct worker *worker = table->worker;

    if (table->period_ends_ms != worker->period_ends_ms) {
        table->period_ends_ms = worker->period_ends_ms;
        counters_add(&worker->counters, memory_given_back, slab_end_period(&table->places));
    }
}

static bool work_waits(const struct conn_table *table)
{
    return (unfinished_waits(&table->unfinished) && !table->requests_held) ||
           !list_empty(&table->paced);
}

void engine_hold_requests(struct conn_table *table, bool is_held)
{
    table->requests_held = is_held;
    table->worker->work_waits = work_waits(table);
}

void engine_on_turn_end(struct conn_table *table)
{
    follow_wall_clock(table);
    send_ready(table);
    receive_starved(table);
    end_period_if_due(table);
    table->burst_spent = 0;
    table->placed_bytes = 0;
    table->worker->work_waits = hold_on_turn_end(table) || work_waits(table);
}

static uint64_t us_from_now(uint64_t us)
{
    return clock_monotonic_ns() + us * 1000;
}

/* Sending an answer takes the kernel longer than it takes to make it, and what is sent is on its
 * way before the data of others is taken again. */
static void serve_unfinished(struct conn_table *table)
{
    uint64_t end_ns = us_from_now(UNFINISHED_US_MAX);
    size_t left = block_pool_left(&table->worker->requests);
    size_t left_min = left > UNFINISHED_BYTES_MAX ? left - UNFINISHED_BYTES_MAX : 0;
    struct conn *conn;

    do {
        conn = unfinished_next(&table->unfinished);
        if (conn != NULL) {
            conn_phase_ops(conn)->on_turn(conn);
        }
    } while (conn != NULL && block_pool_left(&table->worker->requests) > left_min &&
             clock_monotonic_ns() < end_ns);
}

/* One that has more goes to the end. */
static void serve_paced(struct conn_table *table)
{
    uint64_t end_ns = us_from_now(PACED_US_MAX);

    do {
        struct conn *conn = container_of(list_take_first(&table->paced), struct conn, paced_node);

        conn_phase_ops(conn)->on_turn(conn);
    } while (!list_empty(&table->paced) && clock_monotonic_ns() < end_ns);
}

void engine_on_work(struct conn_table *table)
{
    if (unfinished_waits(&table->unfinished) && !table->requests_held) {
        serve_unfinished(table);
    }
    if (!list_empty(&table->paced)) {
        serve_paced(table);
    }
}

void engine_stop(struct conn_table *table)
{
    CHECK(table->worker->stopping); /* or listeners would be armed again, and closes linger */
    for (unsigned i = 0; i < table->listeners_count; i++) {
        listener_stop(&table->listeners[i]);
    }
    timer_disarm(&table->accept_retry);
    hold_end(table);
    stream_cache_drop_all(table->worker, table->shared->topics);
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        conn_end(conn, CLOSE_DRAIN);
    }
}

bool engine_is_drained(const struct conn_table *table)
{
    for (unsigned i = 0; i < table->listeners_count; i++) {
        if (!listener_is_stopped(&table->listeners[i])) {
            return false;
        }
    }
    return table->open_count == 0 && table->deferred == 0;
}
