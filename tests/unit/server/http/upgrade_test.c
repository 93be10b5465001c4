/* Goal: a WebSocket opens on the worker that its topic is on, or where it is, with all that came
 * behind its request; what ends its admission on the way holds.
 * Method: two workers that the test turns (duet.h); refusals as such are tested in
 * phase_http_test.c. */
#include "server/http/upgrade.h"

#include "server/placement/transfer.h"
#include "tests/unit/server/placement/duet.h"

/* A masked text frame, whose mask is 0. */
#define FRAME(text) "\x81\x85\0\0\0\0" text
enum { FRAME_LEN = 11 };

static struct topic *home; /* on worker 1, by a member of the test's */
static int peer;

static void open_two(void)
{
    duet_open();
    home = topic_find_or_create(&duet.topics, "t0");
    CHECK(home != NULL);
    placement_enter(duet.shared.placement, home, 1, true);
    peer = -1;
}

static void close_two(void)
{
    placement_leave(duet.shared.placement, home, 1, true);
    topic_unref(home);
    duet_close();
    close(peer);
}

TestSuite(upgrade, .init = open_two, .fini = close_two);

static struct bytes request_for(const char *topic, const char *behind, size_t behind_len)
{
    static char request[1024];
    struct permission permission = {.booking_id = "b0",
                                    .exp_s = clock_wall_s() + 3600,
                                    .scopes_json = "[]",
                                    .can_read = true,
                                    .can_write = true,
                                    .is_session = true};
    char code[CODE_SIZE];

    snprintf(permission.topic, sizeof permission.topic, "%s", topic);
    cr_assert_eq(code_store_put(duet.shared.access.codes, &permission, DUET_NOW_MS, code), 0);
    int len = snprintf(request, sizeof request - behind_len,
                       "GET /session/%s?code=%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                       "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                       "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                       topic, code);

    memcpy(request + len, behind, behind_len);
    return bytes_of(request, (size_t)len + behind_len);
}

static int ask(unsigned worker, const char *topic)
{
    int fd = duet_connect(worker);
    struct bytes request = request_for(topic, "", 0);

    duet_say(fd, request.data, request.len);
    return fd;
}

static struct conn *only_websocket(unsigned worker)
{
    struct conn *conn = duet_newest(worker);

    cr_assert_eq(conn->phase, PHASE_WEBSOCKET);
    cr_assert_eq(duet.tables[worker].open_count, 1);
    return conn;
}

/* On its way: the first worker has asked the other one. */
static void ask_until_it_leaves(void)
{
    peer = ask(0, "t0");
    duet_await_by(0, duet.tables[0].leaving == 1);
}

Test(upgrade, member_of_a_topic_joins_the_worker_of_the_others)
{
    ask_until_it_leaves();
    duet_await_text(peer, "101 Switching Protocols\r\n");
    duet_await(duet.tables[0].open_count == 0);
    only_websocket(1);
    cr_assert_eq(duet_counted(1, websockets_moved), 1);
    cr_assert_eq(duet_counted(0, websockets_stayed) + duet_counted(1, websockets_stayed), 0);
    cr_assert_eq(home->parts[0].readers, 0);
    cr_assert_eq(home->parts[1].readers, 2);
}

/* Or a burst of a dozen would look like more than one worker's share. */
Test(upgrade, member_that_has_arrived_counts_once)
{
    ask_until_it_leaves();
    cr_assert_eq(home->parts[1].readers, 2);
    duet_await_by(1, duet.tables[1].open_count == 1);
    only_websocket(1);
    cr_assert_eq(duet.tables[0].leaving, 1); /* the letter back is on its way */
    cr_assert_eq(home->parts[1].readers, 2);
}

Test(upgrade, member_that_is_there_stays)
{
    peer = ask(1, "t0");
    duet_await_text(peer, "101 Switching Protocols\r\n");
    only_websocket(1);
    cr_assert_eq(duet_counted(1, websockets_stayed), 1);
    cr_assert_eq(home->parts[1].readers, 2);
}

Test(upgrade, nothing_moves_without_a_placement)
{
    struct placement *placement = duet.shared.placement;

    duet.shared.placement = NULL;
    peer = ask(0, "t0");
    duet_await_text(peer, "101 Switching Protocols\r\n");
    conn_close_now(only_websocket(0), CLOSE_DRAIN);
    duet_await(duet.tables[0].open_count == 0);
    cr_assert_eq(duet_counted(0, websockets_stayed), 0);
    duet.shared.placement = placement;
}

/* Behind the request, and while it is between the workers. */
Test(upgrade, bytes_that_come_early_arrive_in_order)
{
    int viewer = ask(1, "t0");

    duet_await_text(viewer, "\r\n\r\n");
    struct bytes request = request_for("t0", FRAME("early"), FRAME_LEN);

    peer = duet_connect(0);
    duet_say(peer, request.data, request.len);
    duet_await_by(0, duet.tables[0].leaving == 1);
    duet_say(peer, FRAME("later"), FRAME_LEN);
    duet_turn(0);
    duet_await_text(viewer, "\x81\x05"
                            "early");
    duet_await_text(viewer, "\x81\x05"
                            "later");
    close(viewer);
}

static void expect_refusal(const char *status)
{
    duet_await_text(peer, status);
    cr_assert_eq(duet.tables[1].open_count, 0);
    cr_assert_eq(places_count(duet.shared.access.places), 0);
    cr_assert_eq(home->parts[0].readers, 0);
    cr_assert_eq(home->parts[1].readers, 1);
}

Test(upgrade, denial_on_the_way_holds)
{
    ask_until_it_leaves();
    int64_t now_s = clock_wall_s();

    cr_assert_eq(bookings_deny(duet.shared.access.bookings, "b0", now_s + 100, now_s), 0);
    expect_refusal("HTTP/1.1 403 ");
}

Test(upgrade, service_that_begins_to_stop_on_the_way_refuses)
{
    ask_until_it_leaves();
    atomic_store(&duet.shared.access.is_draining, true);
    expect_refusal("HTTP/1.1 503 ");
}

static void expect_opened_here(void)
{
    duet_await_text(peer, "101 Switching Protocols\r\n");
    only_websocket(0);
    cr_assert_eq(duet.tables[1].open_count, 0);
    cr_assert_eq(duet_counted(0, websockets_move_refused), 1);
    cr_assert_eq(duet_counted(1, websockets_moved), 0);
    cr_assert_eq(home->parts[0].readers, 1);
    cr_assert_eq(home->parts[1].readers, 1);
}

Test(upgrade, one_that_the_other_worker_refuses_opens_where_it_is)
{
    ask_until_it_leaves();
    duet.workers[1].stopping = true;
    expect_opened_here();
}

Test(upgrade, one_that_was_refused_has_its_early_bytes)
{
    int viewer = ask(1, "t0");

    duet_await_text(viewer, "\r\n\r\n");
    struct bytes request = request_for("t0", FRAME("early"), FRAME_LEN);

    peer = duet_connect(0);
    duet_say(peer, request.data, request.len);
    duet_await_by(0, duet.tables[0].leaving == 1);
    duet.tables[1].places.places_max = duet.tables[1].places.made;
    duet_await_text(viewer, "\x81\x05"
                            "early");
    cr_assert_eq(duet.tables[0].open_count, 1);
    close(viewer);
}

Test(upgrade, beyond_the_bound_it_opens_where_it_is)
{
    duet.tables[0].leaving = TRANSFERS_MAX;
    peer = ask(0, "t0");
    expect_opened_here();
    duet.tables[0].leaving = 0;
}

Test(upgrade, without_memory_for_the_way_it_opens_where_it_is)
{
    struct block_pool *requests = &duet.workers[0].requests;
    struct bytes request = request_for("t0", "", 0);

    peer = duet_connect(0);
    duet_say(peer, request.data, 1);
    duet_await_by(0, phase_http_of(duet_newest(0))->request != NULL);
    block_pool_trim(requests, 0);
    requests->bytes_max = requests->bytes_held + 8192; /* for what is received */
    duet_say(peer, request.data + 1, request.len - 1);
    expect_opened_here();
}

/* Its end came with the request: it is served, then closed. */
Test(upgrade, one_whose_peer_has_ended_stays)
{
    peer = ask(0, "t0");
    shutdown(peer, SHUT_WR);
    duet_await_text(peer, "101 Switching Protocols\r\n");
    duet_await(duet.tables[0].open_count + duet.tables[1].open_count == 0);
    cr_assert_eq(home->parts[0].readers, 0);
    cr_assert_eq(home->parts[1].readers, 1);
}

Test(upgrade, peer_that_goes_on_the_way_leaves_nothing)
{
    ask_until_it_leaves();
    close(peer);
    peer = -1;
    duet_await(duet.tables[0].open_count + duet.tables[1].open_count == 0);
    cr_assert_eq(places_count(duet.shared.access.places), 0);
    cr_assert_eq(home->parts[1].readers, 1);
}
