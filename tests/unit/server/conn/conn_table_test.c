/* Goal: connections come from a table with a bound over all workers, and the warmest is used first.
 * Method: tables of two workers that share one count. */
#include "server/conn/conn_table.h"

#include <criterion/criterion.h>

#include "server/conn/conn.h"

enum { CONNS_MAX = 3, WORKERS = 2 };

static struct conn_shared shared = {.connections_max = CONNS_MAX};
static struct conn conns[WORKERS][CONNS_MAX];
static uint32_t free_places[WORKERS][CONNS_MAX];
static struct conn_table tables[WORKERS];

static void open_tables(void)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        conn_table_init(&tables[i], NULL, &shared);
        tables[i].conns = conns[i];
        tables[i].places = (struct slab){.memory = (uint8_t *)conns[i],
                                         .place_bytes = sizeof(struct conn),
                                         .places_max = CONNS_MAX,
                                         .free = free_places[i]};
    }
}

TestSuite(conn_table, .init = open_tables);

Test(conn_table, bound_is_over_all_workers)
{
    struct conn *first = conn_table_take(&tables[0]);

    cr_assert_not_null(first);
    cr_assert_not_null(conn_table_take(&tables[0]));
    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert_null(conn_table_take(&tables[0]));
    cr_assert_null(conn_table_take(&tables[1]));
    cr_assert_eq(atomic_load(&shared.connections), CONNS_MAX);
    conn_table_put(&tables[0], first);
    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert_eq(tables[0].open_count, 1);
    cr_assert_eq(tables[1].open_count, 2);
}

Test(conn_table, place_that_was_left_last_is_taken_first)
{
    struct conn *first = conn_table_take(&tables[0]);
    struct conn *second = conn_table_take(&tables[0]);

    conn_table_put(&tables[0], first);
    conn_table_put(&tables[0], second);
    cr_assert_eq(conn_table_take(&tables[0]), second);
    cr_assert_eq(conn_table_take(&tables[0]), first);
    cr_assert_eq(tables[0].places.made, 2);
}

Test(conn_table, booking_has_the_same_bucket_each_time)
{
    cr_assert_eq(conn_table_booking(&tables[0], "b0"), conn_table_booking(&tables[0], "b0"));
    cr_assert_neq(conn_table_booking(&tables[0], "b0"), conn_table_booking(&tables[0], "b1"));
}

Test(conn_table, one_that_is_evicted_leaves_its_place_at_once)
{
    struct conn *evicted = conn_table_take(&tables[0]);

    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert(conn_table_is_full(&tables[0]));
    conn_table_vacate(&tables[0], evicted);
    cr_assert(!conn_table_is_full(&tables[0]));
    cr_assert_not_null(conn_table_take(&tables[0]));
    conn_table_put(&tables[0], evicted); /* closed meanwhile: counted once only */
    cr_assert(conn_table_is_full(&tables[0]));
    cr_assert_null(conn_table_take(&tables[0]));
}

Test(conn_table, one_that_moves_keeps_its_place)
{
    struct conn *here = conn_table_take(&tables[0]);

    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert_not_null(conn_table_take(&tables[1]));
    cr_assert(conn_table_is_full(&tables[0]));
    struct conn *there = conn_table_take_moved(&tables[1]);

    cr_assert_not_null(there);
    conn_table_pass_place(&tables[0], here);
    conn_table_put(&tables[0], here);
    cr_assert_eq(tables[0].evicting, 0);
    cr_assert(conn_table_is_full(&tables[0]));
    conn_table_put(&tables[1], there);
    cr_assert_eq(atomic_load(&shared.connections), CONNS_MAX - 1);
}
