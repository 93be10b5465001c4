/* Goal: a booking that is allowed comes to the disk without a wait; when the store's queue is full
 * that is counted; without a store nothing happens.
 * Method: a real file in a folder of each test; a second user of the database who locks it, so that
 * nothing is written meanwhile. */
#include "server/bookings/booking_note.h"

#include <sqlite3.h>
#include <unistd.h>

#include "base/clock.h"
#include "server/bookings/booking_store.h"
#include "tests/unit/server/hub/hub_fixture.h"
#include "tests/unit/server/loop/uring_fixture.h"

static struct {
    char folder[40], path[64];
    struct code_store *codes;
    struct bookings *bookings;
    struct booking_store *store;
    struct worker worker;
} desk;

static void open_store(void)
{
    char error[STORE_ERROR_SIZE];

    desk.codes = code_store_create(4, 1000);
    desk.bookings = bookings_create(4, desk.codes);
    cr_assert_not_null(desk.bookings);
    desk.store = booking_store_open(desk.path, desk.bookings, error);
    cr_assert_not_null(desk.store, "%s", error);
}

static void close_store(void)
{
    booking_store_close(desk.store); /* writes what waits */
    bookings_destroy(desk.bookings);
    code_store_destroy(desk.codes);
}

static void open_desk(void)
{
    require_uring();
    lone_worker_init(&desk.worker, 1 << 20);
    snprintf(desk.folder, sizeof desk.folder, "/tmp/relay-note-XXXXXX");
    cr_assert_not_null(mkdtemp(desk.folder));
    snprintf(desk.path, sizeof desk.path, "%s/relay.db", desk.folder);
    open_store();
}

static void close_desk(void)
{
    close_store();
    unlink(desk.path);
    cr_assert_eq(rmdir(desk.folder), 0);
    lone_worker_deinit(&desk.worker);
}

TestSuite(booking_note, .init = open_desk, .fini = close_desk);

static uint64_t failures(void)
{
    return atomic_load(&desk.worker.counters.store_failures);
}

Test(booking_note, comes_to_the_disk)
{
    int64_t exp_s = clock_wall_s() + 3600, found_s = 0;
    enum booking_list list = BOOKINGS_DENIED;

    bookings_allow(desk.bookings, "b", exp_s, clock_wall_s());
    booking_note(&desk.worker, desk.store, "b", exp_s);
    close_store();
    open_store();
    cr_assert(bookings_find(desk.bookings, "b", &list, &found_s));
    cr_assert_eq(list, BOOKINGS_ALLOWED);
    cr_assert_eq(found_s, exp_s);
    cr_assert_eq(failures(), 0);
}

Test(booking_note, needs_no_store)
{
    booking_note(&desk.worker, NULL, "b", 1);
    cr_assert_eq(failures(), 0);
}

Test(booking_note, counts_what_the_store_did_not_take)
{
    int64_t exp_s = clock_wall_s() + 3600;
    sqlite3 *other;
    unsigned taken = 0;

    bookings_allow(desk.bookings, "b", exp_s, clock_wall_s());
    cr_assert_eq(sqlite3_open(desk.path, &other), SQLITE_OK);
    cr_assert_eq(sqlite3_exec(other, "BEGIN IMMEDIATE", NULL, NULL, NULL), SQLITE_OK);
    for (;;) {
        booking_note(&desk.worker, desk.store, "b", exp_s);
        if (failures() > 0) {
            break;
        }
        taken++;
        cr_assert_leq(taken, STORE_JOBS_MAX + STORE_BATCH_MAX, "no bound");
    }
    cr_assert_geq(taken, STORE_JOBS_MAX);
    cr_assert_eq(sqlite3_exec(other, "ROLLBACK", NULL, NULL, NULL), SQLITE_OK);
    sqlite3_close(other);
}
