/* Goal: a change of a booking is answered when all have done their part: no connection of a denied
 * booking is left on any worker, and the disk has spoken; whatever happens to who asked.
 * Method: workers that the test turns one by one, so that a letter stays on its way as long as the
 * test likes; a store in a temporary folder. */
#include "server/http/booking_change.h"

#include <stdlib.h>
#include <unistd.h>

#include "server/bookings/booking_note.h"
#include "server/bookings/booking_store.h"
#include "tests/unit/server/conn/conn_fixture.h"

enum { BOOKINGS_MAX = 16, EXPIRES_S = 4000000000 };

static struct code_store *codes;
static struct bookings *bookings;

static void open_desk(void)
{
    open_scene(WORKERS);
    codes = code_store_create(16, 30000);
    bookings = bookings_create(BOOKINGS_MAX, codes);
    scene.shared.access.places = places_create(2 * CONNS);
    cr_assert_not_null(bookings);
    cr_assert_not_null(scene.shared.access.places);
}

static void close_desk(void)
{
    for (unsigned i = 0; i < WORKERS * CONNS; i++) {
        struct conn *conn = &scene.conns[i / CONNS][i % CONNS];

        if (conn->phase == PHASE_WEBSOCKET) {
            places_give(scene.shared.access.places, phase_websocket_of(conn)->identity.booking_id,
                        "t0");
        }
    }
    places_destroy(scene.shared.access.places);
    bookings_destroy(bookings);
    code_store_destroy(codes);
    close_scene();
}

TestSuite(booking_change, .init = open_desk, .fini = close_desk);

static struct conn *add_guest(unsigned number, unsigned worker_index, const char *booking_id)
{
    struct conn *conn = add_websocket(number, worker_index, "t0");
    struct permission permission = {.topic = "t0"};

    phase_websocket_of(conn)->can_read = false; /* subscribes to nothing */
    phase_websocket_of(conn)->identity.booking_id = booking_id;
    snprintf(permission.booking_id, sizeof permission.booking_id, "%s", booking_id);
    cr_assert_eq(places_take(scene.shared.access.places, &permission), 0);
    timer_init(&conn->liveness, on_due);
    timer_init(&conn->expiry, on_due);
    list_init(&conn->booking_node);
    list_append(conn_table_booking(conn->table, booking_id), &conn->booking_node);
    return conn;
}

static const struct booking_change_actor clerk = {.booking_id = "clerk"};

/* True: the reply can be sent at once. */
static bool act(enum access_action action, const char *booking_id, struct access_reply *reply)
{
    *reply = (struct access_reply){.action = action, .exp_s = EXPIRES_S};
    snprintf(reply->booking_id, sizeof reply->booking_id, "%s", booking_id);
    access_reply_empty(reply, 204);
    return booking_change_carry_out(&scene.askers[0], reply, &clerk, phase_http_answer_deferred);
}

static const char *answer(void)
{
    drain(&scene.askers[0].subscriber.queue, &scene.workers[0]);
    return scene.read;
}

static void expect_answer(const char *status_line)
{
    cr_assert_eq(strncmp(answer(), status_line, strlen(status_line)), 0, "%s", scene.read);
    cr_assert_eq(scene.askers[0].phase, PHASE_CLOSING);
    cr_assert_eq(scene.tables[0].deferred, 0);
}

Test(booking_change, answers_a_denial_when_no_worker_holds_the_booking_any_more)
{
    struct conn *here = add_guest(0, 0, "b"), *there = add_guest(0, 1, "b");
    struct conn *other = add_guest(1, 1, "other");
    struct access_reply reply;

    cr_assert(!act(ACCESS_ACTION_DENY, "b", &reply));
    cr_assert_eq(here->phase, PHASE_CLOSING);
    for (unsigned i = 0; i < 10; i++) {
        turn(&scene.workers[0]);
    }
    cr_assert_eq(there->phase, PHASE_WEBSOCKET);
    cr_assert_str_eq(answer(), "", "the other worker has not cut yet");
    turn(&scene.workers[1]);
    cr_assert_eq(there->phase, PHASE_CLOSING);
    cr_assert_eq(there->close_reason, CLOSE_DENIED);
    settle();
    expect_answer("HTTP/1.1 204 No Content\r\n");
    cr_assert_eq(other->phase, PHASE_WEBSOCKET);
}

Test(booking_change, gives_the_prepared_refusal_when_the_list_was_full)
{
    struct conn *there = add_guest(0, 1, "b");
    struct access_reply reply = {.action = ACCESS_ACTION_DENY, .booking_id = "b"};

    access_reply_error(&reply, 503, "too many denied bookings");
    cr_assert(
        !booking_change_carry_out(&scene.askers[0], &reply, &clerk, phase_http_answer_deferred));
    settle();
    cr_assert_eq(there->phase, PHASE_CLOSING);
    expect_answer("HTTP/1.1 503 ");
    cr_assert_not_null(strstr(scene.read, "{\"code\":\"503\",\"message\":\"too many denied"));
}

Test(booking_change, answers_at_once_when_nobody_else_is_concerned)
{
    struct access_reply reply;

    cr_assert(act(ACCESS_ACTION_ALLOW, "b", &reply));
    cr_assert_eq(reply.status, 204);
    scene.group.workers_count = 1;
    cr_assert(act(ACCESS_ACTION_DENY, "b", &reply));
    cr_assert_eq(reply.status, 204);
    cr_assert_eq(reply.body_len, 0);
    cr_assert(!scene.askers[0].awaits_answer);
    cr_assert_eq(scene.tables[0].deferred, 0);
    scene.group.workers_count = WORKERS;
}

Test(booking_change, cuts_for_who_left_without_the_answer)
{
    struct conn *there = add_guest(0, 1, "b");
    struct access_reply reply;

    cr_assert(!act(ACCESS_ACTION_DENY, "b", &reply));
    scene.askers[0].serial++; /* the place in the table has another tenant */
    settle();
    cr_assert_eq(there->phase, PHASE_CLOSING);
    cr_assert_str_eq(answer(), "");
    cr_assert_eq(scene.askers[0].phase, PHASE_HTTP);
    cr_assert_eq(scene.tables[0].deferred, 0);
}

static struct {
    char folder[64], path[80];
} disk;

static void open_store(void)
{
    char error[STORE_ERROR_SIZE];

    if (disk.folder[0] == '\0') {
        snprintf(disk.folder, sizeof disk.folder, "/tmp/relay-booking-change-test-XXXXXX");
        cr_assert_not_null(mkdtemp(disk.folder));
        snprintf(disk.path, sizeof disk.path, "%s/relay.db", disk.folder);
    }
    scene.shared.store = booking_store_open(disk.path, bookings, error);
    cr_assert_not_null(scene.shared.store, "%s", error);
}

/* The disk is read into lists that know nothing, and the folder goes. */
static void expect_stored(const char *booking_id, enum booking_list expected)
{
    enum booking_list list;
    int64_t exp_s;

    bookings_destroy(bookings);
    bookings = bookings_create(BOOKINGS_MAX, codes);
    open_store();
    cr_assert(bookings_find(bookings, booking_id, &list, &exp_s));
    cr_assert_eq(list, expected);
    cr_assert_eq(exp_s, EXPIRES_S);
    booking_store_close(scene.shared.store);
    unlink(disk.path);
    rmdir(disk.folder);
}

Test(booking_change, waits_for_the_disk_and_for_the_workers)
{
    struct conn *there = add_guest(0, 1, "b");
    struct access_reply reply;

    open_store();
    cr_assert_eq(bookings_deny(bookings, "b", EXPIRES_S, 0), 0);
    cr_assert(!act(ACCESS_ACTION_DENY, "b", &reply));
    booking_store_close(scene.shared.store); /* writes what waits */
    turn(&scene.workers[0]);
    cr_assert_str_eq(answer(), "", "the disk alone is not enough");
    settle();
    cr_assert_eq(there->phase, PHASE_CLOSING);
    expect_answer("HTTP/1.1 204 No Content\r\n");
    expect_stored("b", BOOKINGS_DENIED);
}

Test(booking_change, a_note_makes_no_request_wait)
{
    open_store();
    bookings_allow(bookings, "b", EXPIRES_S, 0);
    booking_note(&scene.workers[0], scene.shared.store, "b", EXPIRES_S);
    cr_assert(!scene.askers[0].awaits_answer);
    cr_assert_eq(scene.tables[0].deferred, 0);
    booking_store_close(scene.shared.store);
    expect_stored("b", BOOKINGS_ALLOWED);
}
