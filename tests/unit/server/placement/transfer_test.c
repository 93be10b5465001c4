/* Goal: a connection is on one worker or on the other, never on none and never on both, with its
 * descriptor and all its bytes.
 * Method: two workers that the test turns (duet.h), and an owner of transfers that writes down what
 * it is told. */
#include "server/placement/transfer.h"

#include "server/conn/transport.h"
#include "tests/unit/server/placement/duet.h"

static struct transfer transfer;
static struct {
    bool may_arrive;
    unsigned asked;
    struct conn *arrived, *returned;
    unsigned returns;
} told;
static struct conn *conn;
static int peer;

static bool may_arrive(const struct conn_table *table, const struct transfer *moving)
{
    CHECK(moving == &transfer && table == &duet.tables[1]);
    told.asked++;
    return told.may_arrive;
}

static void on_arrived(struct conn *there, struct transfer *moving)
{
    CHECK(bytes_equal_text(moving->rest, "rest"));
    told.arrived = there;
}

static void on_returned(struct conn *here, struct transfer *moving)
{
    told.returns++;
    told.returned = here;
    if (here != NULL) {
        phase_http_of(here)->leaves = false;
    }
}

static const struct transfer_ops recorder = {
    .may_arrive = may_arrive, .on_arrived = on_arrived, .on_returned = on_returned};

/* As one whose request has its turn: nothing is received. */
static void open_pair(void)
{
    duet_open();
    memset(&told, 0, sizeof told);
    told.may_arrive = true;
    peer = duet_connect(0);
    conn = duet_newest(0);
    duet_say(peer, "GET", 3);
    duet_await_by(0, phase_http_of(conn)->request != NULL);
    phase_http_of(conn)->leaves = true;
    duet_say(peer, " ", 1);
    duet_await_by(0, !conn->recv_op.in_flight);
}

static void close_pair(void)
{
    duet_close();
    close(peer);
}

TestSuite(transfer, .init = open_pair, .fini = close_pair);

static void begin(void)
{
    transfer_begin(&transfer, conn, &duet.workers[1], bytes_of_text("rest"), &recorder);
}

Test(transfer, connection_arrives_with_its_descriptor_and_statistics)
{
    int fd = conn->fd;

    conn->bytes_sent = 7;
    conn->messages_sent = 1;
    conn->last_sent_ms = 11;
    begin();
    duet_turn(0);
    cr_assert_null(told.arrived);
    cr_assert_eq(duet.tables[0].leaving, 1);
    duet_turn(1);
    cr_assert_not_null(told.arrived);
    cr_assert_eq(told.arrived->worker, &duet.workers[1]);
    cr_assert_eq(told.arrived->fd, fd);
    cr_assert_eq(told.arrived->bytes_sent, 7);
    cr_assert_eq(told.arrived->messages_sent, 1);
    cr_assert_eq(told.arrived->last_sent_ms, 11);
    cr_assert(told.arrived->recv_op.in_flight);
    cr_assert_eq(atomic_load(&duet.shared.connections), 1, "one place for both");
    duet_turn(0);
    cr_assert_eq(told.returns, 1);
    cr_assert_null(told.returned);
    cr_assert_eq(conn->phase, PHASE_FREE);
    cr_assert_eq(duet.tables[0].open_count, 0);
    cr_assert_eq(duet.tables[0].leaving, 0);
    cr_assert_eq(atomic_load(&duet.shared.connections), 1);
    cr_assert_eq(duet_counted(0, connections_closed), 0);
    cr_assert_eq(duet_counted(1, connections_accepted), 0, "it was accepted once");
}

static void expect_refused(void)
{
    duet_await(told.returns == 1);
    cr_assert_null(told.arrived);
    cr_assert_eq(told.returned, conn);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    cr_assert_not(conn->awaits_answer);
    cr_assert_eq(duet.tables[1].open_count, 0);
    cr_assert_eq(duet.tables[0].leaving, 0);
    cr_assert_eq(atomic_load(&duet.shared.connections), 1);
    cr_assert(transfer_may_begin(conn, &duet.workers[1]), "it is as it was");
}

Test(transfer, one_that_may_not_arrive_goes_on_where_it_is)
{
    told.may_arrive = false;
    begin();
    expect_refused();
}

Test(transfer, worker_that_stops_takes_none)
{
    begin();
    duet.workers[1].stopping = true;
    expect_refused();
    cr_assert_eq(told.asked, 0);
}

Test(transfer, connection_moves_at_the_bound_and_takes_no_place_of_others)
{
    duet.shared.connections_max = 2;
    begin();
    duet_turn(0);
    duet_turn(1);
    cr_assert_not_null(told.arrived);
    int other = duet_connect(1);

    cr_assert_eq(duet_counted(1, connections_refused_limit), 0);
    cr_assert_eq(duet_counted(1, connections_evicted), 0);
    duet_turn(0);
    cr_assert_eq(atomic_load(&duet.shared.connections), 2);
    close(other);
}

Test(transfer, evicted_where_it_arrived_it_counts_no_more)
{
    begin();
    duet_turn(0);
    duet_turn(1);
    cr_assert(conn_close_oldest(&duet.tables[1]));
    cr_assert_eq(atomic_load(&duet.shared.connections), 0);
    duet_await(told.returns == 1);
    cr_assert_eq(atomic_load(&duet.shared.connections), 0);
    cr_assert_eq(duet.tables[0].evicting, 0);
}

Test(transfer, one_for_which_the_other_worker_has_no_memory_goes_on_where_it_is)
{
    duet.tables[1].places.places_max = duet.tables[1].places.made;
    begin();
    expect_refused();
}

static bool refuse_to_take(struct conn *there, const struct conn_tls *from)
{
    CHECK(from == &conn->tls);
    return false;
}

Test(transfer, one_for_whose_transport_there_is_no_memory_goes_on_where_it_is)
{
    struct transport_ops poor = transport_plain;

    poor.take_over = refuse_to_take;
    conn->transport = &poor;
    begin();
    expect_refused();
    conn->transport = &transport_plain;
}

static unsigned taken, gone;

static bool count_taken(struct conn *there, const struct conn_tls *from)
{
    taken++;
    return true;
}

static void count_gone(struct conn *here)
{
    cr_assert_eq(here, conn);
    gone++;
}

Test(transfer, state_of_the_transport_has_one_owner_at_a_time)
{
    static struct transport_ops rich;

    rich = transport_plain;
    rich.take_over = count_taken;
    rich.let_go = count_gone;
    conn->transport = &rich;
    begin();
    duet_turn(0);
    duet_turn(1);
    cr_assert_eq(taken, 1);
    cr_assert_eq(gone, 0);
    duet_turn(0);
    cr_assert_eq(gone, 1);
    told.arrived->transport = &transport_plain;
}

Test(transfer, waits_through_a_deadline_and_makes_room_for_none)
{
    begin();
    duet.workers[0].now_ms += 3 * (uint64_t)duet.config.handshake_timeout_ms;
    timer_wheel_advance(&duet.workers[0].timers, duet.workers[0].now_ms);
    cr_assert_not(conn_close_oldest(&duet.tables[0]));
    conn_end(conn, CLOSE_DRAIN);
    cr_assert_eq(conn->phase, PHASE_HTTP);
    duet_await(told.returns == 1);
    cr_assert_not_null(told.arrived);
}

Test(transfer, begins_only_while_nothing_is_in_flight_and_no_bound_is_reached)
{
    struct worker *target = &duet.workers[1];

    cr_assert(transfer_may_begin(conn, target));
    conn->recv_op.in_flight = true;
    cr_assert_not(transfer_may_begin(conn, target));
    conn->recv_op.in_flight = false;
    conn->send_op.in_flight = true;
    cr_assert_not(transfer_may_begin(conn, target));
    conn->send_op.in_flight = false;
    conn->peer_ended = true;
    cr_assert_not(transfer_may_begin(conn, target));
    conn->peer_ended = false;
    conn->receive_blocked = true;
    cr_assert_not(transfer_may_begin(conn, target));
    conn->receive_blocked = false;
    duet.workers[0].stopping = true;
    cr_assert_not(transfer_may_begin(conn, target));
    duet.workers[0].stopping = false;
    duet.tables[0].leaving = TRANSFERS_MAX;
    cr_assert_not(transfer_may_begin(conn, target));
    duet.tables[0].leaving = 0;
    atomic_store(&target->letters_pending, LETTERS_PENDING_MAX);
    cr_assert_not(transfer_may_begin(conn, target));
    atomic_store(&target->letters_pending, 0);
    cr_assert(transfer_may_begin(conn, target));
}

Test(transfer, does_not_begin_twice, .signal = SIGABRT)
{
    begin();
    begin();
}
