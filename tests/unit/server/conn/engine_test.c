/* Goal: the connections of a worker start, are served at the end of each turn, and stop together.
 * Method: fake kernel (stage.h). */
#include "server/conn/engine.h"

#include "base/clock.h"
#include "tests/unit/server/conn/stage.h"

TestSuite(engine, .init = stage_open, .fini = stage_close);

enum { LISTENERS = 3 };

static unsigned held_of(uint8_t opcode)
{
    unsigned count = 0;

    for (unsigned i = 0; i < kernel.held_count; i++) {
        count += kernel.held[i].opcode == opcode;
    }
    return count;
}

Test(engine, starts_its_listeners_and_is_drained_when_they_have_ended)
{
    static struct conn_table table;
    struct listener_socket sockets[LISTENERS];

    for (unsigned i = 0; i < LISTENERS; i++) {
        sockets[i] = (struct listener_socket){.fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0),
                                              .role = i == 0 ? LISTENER_ACCESS : LISTENER_RELAY};
        cr_assert_geq(sockets[i].fd, 0);
    }
    cr_assert_eq(engine_init(&table, &stage.worker, &stage.shared, sockets, LISTENERS, false), 0);
    kernel_take();
    cr_assert_eq(held_of(IORING_OP_ACCEPT), LISTENERS);
    cr_assert_eq(table.listeners[1].socket.role, LISTENER_RELAY);
    cr_assert_null(table.plaintext); /* without TLS */
    stage.worker.stopping = true;
    engine_stop(&table);
    for (unsigned i = 0; i < LISTENERS; i++) {
        cr_assert_not(engine_is_drained(&table));
        kernel_complete(kernel_find(IORING_OP_ACCEPT), -EINVAL, 0);
    }
    cr_assert(engine_is_drained(&table));
    engine_deinit(&table);
}

Test(engine, is_not_drained_while_a_connection_is_open_or_an_answer_is_owed)
{
    cr_assert(engine_is_drained(&stage.table));
    stage.table.deferred = 1;
    cr_assert_not(engine_is_drained(&stage.table));
    stage.table.deferred = 0;
    stage_connect(LISTENER_BOTH);
    cr_assert_not(engine_is_drained(&stage.table));
    stage_close_connections();
    cr_assert(engine_is_drained(&stage.table));
}

Test(engine, end_of_a_turn_sends_on_each_connection_once)
{
    for (unsigned i = 0; i < 2; i++) {
        struct conn *conn = stage_connect(LISTENER_BOTH);

        stage_send(conn, "a");
        stage_send(conn, "b");
    }
    stage_turn();
    cr_assert_eq(held_of(IORING_OP_SENDMSG), 2);
    cr_assert(list_empty(&stage.table.ready));
    stage_turn();
    cr_assert_eq(held_of(IORING_OP_SENDMSG), 2);
}

Test(engine, end_of_a_turn_arms_each_connection_that_had_no_buffer)
{
    stage_connect(LISTENER_BOTH);
    stage_connect(LISTENER_BOTH);
    kernel_complete(kernel_find(IORING_OP_RECV), -ENOBUFS, 0);
    kernel_complete(kernel_find(IORING_OP_RECV), -ENOBUFS, 0);
    cr_assert_eq(held_of(IORING_OP_RECV), 0);
    stage_turn();
    cr_assert_eq(held_of(IORING_OP_RECV), 2);
    cr_assert(list_empty(&stage.table.starved));
}

enum { ANSWERS_MAX = 16, ANSWER_BYTES = UNFINISHED_BYTES_MAX / 4 };

static void *answers[ANSWERS_MAX];
static unsigned answers_count;

/* Always has another request, and long answers. */
static void greedy_on_turn(struct conn *conn)
{
    answers[answers_count++] = block_pool_take(&stage.worker.requests, ANSWER_BYTES);
    if (answers_count < ANSWERS_MAX) {
        unfinished_await_turn(&stage.table.unfinished, conn);
    }
}

Test(engine, answers_of_a_turn_are_bounded)
{
    static const struct phase_ops greedy_ops = {.on_turn = greedy_on_turn};
    static const struct phase_ops *const greedy[PHASE_COUNT] = {[PHASE_HTTP] = &greedy_ops};
    struct conn *conn = stage_connect(LISTENER_BOTH);

    stage.worker.requests.bytes_max = (size_t)ANSWERS_MAX * 2 * ANSWER_BYTES;
    unfinished_await_turn(&stage.table.unfinished, conn);
    stage.shared.phases = greedy;
    engine_on_work(&stage.table);
    stage.shared.phases = recorders;
    cr_assert_geq(answers_count, 1);
    cr_assert_leq(answers_count, 4);
    cr_assert(unfinished_waits(&stage.table.unfinished));
    for (unsigned i = 0; i < answers_count; i++) {
        block_pool_put(&stage.worker.requests, answers[i]);
    }
}

/* Floods at random: some begin, some end, each takes a turn of random length. */
enum { FLOOD_STEPS = 600, FLOOD_NS_MAX = 50000 };

static unsigned turns_of[STAGE_CONNS], flood_seed = 1;
static bool floods[STAGE_CONNS];

static void flood_on_turn(struct conn *conn)
{
    unsigned index = (unsigned)(conn - stage.conns);
    uint64_t end_ns = clock_monotonic_ns() + (unsigned)rand_r(&flood_seed) % FLOOD_NS_MAX;

    turns_of[index]++;
    while (clock_monotonic_ns() < end_ns) {
    }
    if (floods[index]) {
        list_append(&stage.table.paced, &conn->paced_node);
    }
}

/* None that floods all the time has had more turns than another that does. */
static void check_equal(const unsigned *before)
{
    unsigned least = UINT32_MAX, most = 0;

    for (unsigned i = 0; i < STAGE_CONNS; i++) {
        unsigned count = turns_of[i] - before[i];

        if (floods[i]) {
            least = count < least ? count : least;
            most = count > most ? count : most;
        }
    }
    cr_assert(most == 0 || most - least <= 1, "%u and %u", least, most);
}

Test(engine, floods_have_equal_turns)
{
    static const struct phase_ops flood_ops = {.on_turn = flood_on_turn};
    const struct phase_ops *phases[PHASE_COUNT];
    unsigned before[STAGE_CONNS];

    memcpy(phases, recorders, sizeof phases);
    for (unsigned i = 0; i < STAGE_CONNS; i++) {
        stage_connect(LISTENER_BOTH);
    }
    phases[PHASE_HTTP] = &flood_ops;
    stage.shared.phases = phases;
    for (unsigned i = 0; i < FLOOD_STEPS; i++) {
        if (i % 50 == 0) {
            unsigned index = (unsigned)rand_r(&flood_seed) % STAGE_CONNS;

            floods[index] = !floods[index];
            list_remove(&stage.conns[index].paced_node);
            if (floods[index]) {
                list_append(&stage.table.paced, &stage.conns[index].paced_node);
            }
            memcpy(before, turns_of, sizeof before);
        }
        engine_on_work(&stage.table);
        check_equal(before);
    }
    stage.shared.phases = recorders;
}

Test(engine, stop_asks_each_connection_to_end_and_accepts_no_more)
{
    stage_connect(LISTENER_BOTH);
    stage_connect(LISTENER_BOTH);
    timer_arm(&stage.worker.timers, &stage.table.accept_retry, STAGE_NOW_MS + 1000);
    expect_heard("enter enter ");
    stage.worker.stopping = true;
    engine_stop(&stage.table);
    expect_heard("end: server is stopping end: server is stopping ");
    cr_assert_not(stage.table.accept_retry.armed);
}

static void on_expiry(struct timer *timer)
{
    hear("expiry ");
}

Test(engine, step_of_the_wall_clock_makes_ends_of_tokens_due)
{
    struct conn *conn = stage_connect(LISTENER_BOTH);
    struct conn *other = stage_connect(LISTENER_BOTH);

    stage_turn(); /* knows the wall clock now */
    timer_init(&conn->expiry, on_expiry);
    timer_arm(&stage.worker.timers, &conn->expiry, STAGE_NOW_MS + 3600000);
    expect_heard("enter enter ");
    stage_turn();
    cr_assert_gt(conn->expiry.due_ms, STAGE_NOW_MS + 3000000);
    stage.table.wall_ahead_ms += 2 * (int64_t)WALL_STEP_MS_MIN;
    stage_turn();
    cr_assert_leq(conn->expiry.due_ms, STAGE_NOW_MS + TIMER_TICK_MS);
    cr_assert_not(other->expiry.armed);
    stage_pass_ms(TIMER_TICK_MS);
    expect_heard("expiry ");
}

/* Records made in user space */

enum { SEALED_BYTES = 64 * 1024 };

static bool seal_and_send(struct conn *conn)
{
    conn->table->sealed_bytes += SEALED_BYTES;
    return transport_plain.send_next(conn);
}

/* Completes the operations that were really submitted; the fake kernel has not seen them. */
static unsigned complete_submitted(void)
{
    struct io_uring *uring = &stage.worker.ring.uring;
    struct io_uring_cqe *cqe;
    unsigned head, count = 0;

    io_uring_for_each_cqe(uring, head, cqe)
    {
        struct op *op = op_pointer(io_uring_cqe_get_data64(cqe));

        op->in_flight = false;
        op->on_complete(op, cqe->res, cqe->flags);
        count++;
    }
    io_uring_cq_advance(uring, count);
    return count;
}

Test(engine, records_leave_before_all_are_made)
{
    struct transport_ops sealing = transport_plain;

    sealing.send_next = seal_and_send;
    for (unsigned i = 0; i < STAGE_CONNS - 1; i++) {
        struct conn *conn = stage_connect(LISTENER_BOTH);

        conn->transport = &sealing;
        stage_send(conn, "hello");
    }
    stage_turn();
    cr_assert_eq(complete_submitted(), 2); /* of 64 KiB each; the third waits for the turn's end */
    cr_assert_eq(held_of(IORING_OP_SEND), 1);
    cr_assert_not(stage.worker.work_waits);
    list_for_each(node, &stage.table.open)
    {
        container_of(node, struct conn, open_node)->transport = &transport_plain;
    }
}

static bool has_turned;

static void note_turn(struct conn *conn)
{
    has_turned = true;
}

Test(engine, held_requests_have_their_turn_later)
{
    static struct phase_ops ops;
    static const struct phase_ops *phases[PHASE_COUNT];

    ops = recorder_ops;
    ops.on_turn = note_turn;
    memcpy(phases, recorders, sizeof phases);
    phases[PHASE_HTTP] = &ops;
    stage.shared.phases = phases;
    struct conn *conn = stage_connect(LISTENER_BOTH);

    engine_hold_requests(&stage.table, true);
    unfinished_await_turn(&stage.table.unfinished, conn);
    engine_on_turn_end(&stage.table);
    cr_assert_not(stage.worker.work_waits);
    engine_on_work(&stage.table);
    cr_assert_not(has_turned);
    engine_hold_requests(&stage.table, false);
    cr_assert(stage.worker.work_waits);
    engine_on_work(&stage.table);
    cr_assert(has_turned);
    stage_close_connections();
}
