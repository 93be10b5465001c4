#include "server/conn/conn_table.h"

#include "base/check.h"
#include "server/conn/conn.h"

struct conn *conn_table_take(struct conn_table *table)
{
    struct conn_shared *shared = table->shared;
    struct conn *conn;

    if (atomic_fetch_add(&shared->connections, 1) >= (uint32_t)shared->config->connections_max) {
        atomic_fetch_sub(&shared->connections, 1);
        return NULL;
    }
    if (!list_empty(&table->free)) {
        conn = container_of(table->free.next, struct conn, open_node);
        list_remove(&conn->open_node);
    } else {
        CHECK(table->conns_made < table->conns_max);
        conn = &table->conns[table->conns_made];
        table->conns_made++;
    }
    list_append(&table->open, &conn->open_node);
    table->open_count++;
    return conn;
}

void conn_table_put(struct conn_table *table, struct conn *conn)
{
    CHECK(table->open_count > 0);
    list_remove(&conn->open_node);
    list_prepend(&table->free, &conn->open_node); /* the warmest memory is used first */
    table->open_count--;
    atomic_fetch_sub(&table->shared->connections, 1);
}

struct list *conn_table_booking(struct conn_table *table, const char *booking_id)
{
    return &table->bookings[text_hash(0, booking_id) % BOOKING_BUCKETS];
}
