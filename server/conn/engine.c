#include "server/conn/engine.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/mman.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/conn.h"
#include "server/conn/listener.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"

int engine_init(struct conn_table *table, struct worker *worker, struct conn_shared *shared,
                const int *fds, const enum listener_role *roles, unsigned listeners_count)
{
    CHECK(listeners_count <= LISTENERS_MAX);
    *table = (struct conn_table){.worker = worker,
                                 .shared = shared,
                                 .conns_max = (uint32_t)shared->config->connections_max,
                                 .listeners_count = listeners_count,
                                 .refusals_log_limit = {.lines_max = REFUSALS_LOGGED_MAX}};
    list_init(&table->free);
    list_init(&table->open);
    list_init(&table->ready);
    list_init(&table->starved);
    for (unsigned i = 0; i < BOOKING_BUCKETS; i++) {
        list_init(&table->bookings[i]);
    }
    timer_init(&table->accept_retry, listener_on_retry);
    void *pages = mmap(NULL, table->conns_max * sizeof(struct conn), PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);

    if (pages == MAP_FAILED) {
        return -errno;
    }
    table->conns = pages;
    if (shared->tls != NULL) {
        table->plaintext = malloc(TLS_RECORD_PAYLOAD_MAX);
        if (table->plaintext == NULL) {
            return -ENOMEM;
        }
    }
    for (unsigned i = 0; i < listeners_count; i++) {
        table->listeners[i] = (struct listener){.fd = fds[i], .role = roles[i], .table = table};
        listener_start(&table->listeners[i]);
    }
    return 0;
}

void engine_deinit(struct conn_table *table)
{
    CHECK(table->open_count == 0);
    free(table->plaintext);
    if (table->conns != NULL) {
        munmap(table->conns, table->conns_max * sizeof(struct conn));
        table->conns = NULL;
    }
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

void engine_on_turn_end(struct conn_table *table)
{
    follow_wall_clock(table);
    while (!list_empty(&table->ready)) {
        struct conn *conn = container_of(table->ready.next, struct conn, ready_node);

        list_remove(&conn->ready_node);
        conn_send_next(conn);
    }
    if (list_empty(&table->starved)) {
        return;
    }
    /* Their buffers are back now; before that a new receive would only spin. */
    struct list starved;

    recv_pool_flush(&table->worker->recv_pool);
    list_take_all(&starved, &table->starved);
    while (!list_empty(&starved)) {
        struct conn *conn = container_of(starved.next, struct conn, starved_node);

        list_remove(&conn->starved_node);
        conn_receive_start(conn);
    }
}

void engine_stop(struct conn_table *table)
{
    for (unsigned i = 0; i < table->listeners_count; i++) {
        listener_stop(&table->listeners[i]);
    }
    timer_disarm(&table->accept_retry);
    list_for_each(node, &table->open)
    {
        struct conn *conn = container_of(node, struct conn, open_node);

        conn_end(conn, CLOSE_DRAIN);
    }
}

bool engine_is_drained(const struct conn_table *table)
{
    for (unsigned i = 0; i < table->listeners_count; i++) {
        if (table->listeners[i].accept_op.in_flight || table->listeners[i].fd >= 0) {
            return false;
        }
    }
    return table->open_count == 0 && table->deferred == 0;
}
