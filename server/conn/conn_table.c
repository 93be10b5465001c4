#include "server/conn/conn_table.h"

#include "base/check.h"
#include "server/conn/conn.h"

void conn_table_init(struct conn_table *table, struct worker *worker, struct conn_shared *shared)
{
    *table = (struct conn_table){.worker = worker,
                                 .shared = shared,
                                 .refusals_log_limit = {.lines_max = REFUSALS_LOGGED_MAX}};
    unfinished_init(&table->unfinished);
    list_init(&table->open);
    list_init(&table->paced);
    list_init(&table->ready);
    list_init(&table->starved);
    for (unsigned i = 0; i < BOOKING_BUCKETS; i++) {
        list_init(&table->bookings[i]);
    }
}

bool conn_table_is_full(const struct conn_table *table)
{
    return atomic_load(&table->shared->connections) >= table->shared->connections_max;
}

struct conn *conn_table_take(struct conn_table *table)
{
    struct conn_shared *shared = table->shared;
    bool is_full = atomic_fetch_add(&shared->connections, 1) >= shared->connections_max;
    struct conn *conn = is_full ? NULL : conn_table_take_moved(table);

    if (conn == NULL) {
        atomic_fetch_sub(&shared->connections, 1);
    }
    return conn;
}

struct conn *conn_table_take_moved(struct conn_table *table)
{
    /* All are taken only by thousands of evictions in one turn. */
    struct conn *conn = slab_take(&table->places);

    if (conn == NULL) {
        return NULL;
    }
    conn->has_place = true;
    CHECK(conn->phase == PHASE_FREE);
    list_append(&table->open, &conn->open_node);
    table->open_count++;
    return conn;
}

void conn_table_pass_place(struct conn_table *table, struct conn *conn)
{
    CHECK(conn->has_place);
    conn->has_place = false;
    table->evicting++;
}

void conn_table_vacate(struct conn_table *table, struct conn *conn)
{
    CHECK(atomic_load(&table->shared->connections) > 0);
    conn_table_pass_place(table, conn);
    atomic_fetch_sub(&table->shared->connections, 1);
}

void conn_table_put(struct conn_table *table, struct conn *conn)
{
    CHECK(conn->phase == PHASE_FREE);
    CHECK(table->open_count > 0);
    list_remove(&conn->open_node);
    table->open_count--;
    if (conn->has_place) {
        atomic_fetch_sub(&table->shared->connections, 1);
    } else {
        CHECK(table->evicting > 0);
        table->evicting--;
    }
    slab_put(&table->places, conn);
    unfinished_retry(&table->unfinished);
}

struct list *conn_table_booking(struct conn_table *table, const char *booking_id)
{
    return &table->bookings[bytes_hash(0, bytes_of_text(booking_id)) % BOOKING_BUCKETS];
}
