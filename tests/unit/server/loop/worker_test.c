/* Goal: workers start together or not at all, letters between them keep their order and are all
 * counted, and they end together when nothing is left.
 * Method: two to four real threads that exchange numbered letters. Messages proper are exchanged in
 * tests/loop/workers_test.c, also under the thread sanitizer. In the workers' threads a failed
 * check ends the test by SIGABRT: the framework's own assertions work in its thread only. */
#include <criterion/criterion.h>
#include <errno.h>
#include <sched.h>
#include <semaphore.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/loop/worker.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { WORKERS = 4, LETTERS = 3000, WAIT_S = 20, MEMORY = 1 << 20 };

struct numbered {
    struct outbox_item item;
    unsigned from;
    unsigned number;
};

struct note_call {
    struct call call;
    struct game *game;
    unsigned number;
};

struct game {
    struct worker_group group;
    struct ring outside;
    sem_t event;
    sem_t go_on;
    _Atomic unsigned started, stopped, turns_ended, calls_run, works;
    _Atomic bool has_stopped[WORKERS];
    _Atomic unsigned undelivered, homecomings;
    _Atomic bool is_drained;
    int start_error;                 /* of worker 1 */
    unsigned next[WORKERS][WORKERS]; /* [receiver][sender] */
    _Atomic unsigned finished_senders;
    struct numbered letters[WORKERS][LETTERS];
    struct call calls[WORKERS];
};

static struct game game;

static int on_start(struct worker *worker)
{
    atomic_fetch_add(&game.started, 1);
    worker->context = &game;
    return worker->index == 1 ? game.start_error : 0;
}

static void on_stop(struct worker *worker)
{
    atomic_store(&game.has_stopped[worker->index], true);
    atomic_fetch_add(&game.stopped, 1);
}

static void on_parcel(struct worker *worker, void *parcel)
{
    const struct numbered *letter = parcel;
    unsigned *next = &game.next[worker->index][letter->from];

    CHECK(letter->number == *next);
    (*next)++;
    if (*next == LETTERS) {
        sem_post(&game.event);
    }
}

static void come_home(struct worker *worker, struct outbox_item *item)
{
    struct numbered *letter = container_of(item, struct numbered, item);

    CHECK(letter->from == worker->index);
    atomic_fetch_add(&game.homecomings, 1);
    sem_post(&game.event);
}

static void on_undelivered(struct worker *worker, void *parcel)
{
    (void)worker;
    (void)parcel;
    atomic_fetch_add(&game.undelivered, 1);
    sem_post(&game.event);
}

static void on_turn_end(struct worker *worker)
{
    (void)worker;
    atomic_fetch_add(&game.turns_ended, 1);
}

static bool is_drained(struct worker *worker)
{
    CHECK(worker->stopping); /* asked while stopping only */
    return atomic_load(&game.is_drained);
}

enum { LONG_WORKS = 3 };

/* Takes longer than the completions of a turn may. */
static void on_work(struct worker *worker)
{
    struct timespec time = {.tv_nsec = (TURN_MS_MAX + 2) * 1000000L};

    nanosleep(&time, NULL);
    worker->work_waits = atomic_fetch_add(&game.works, 1) + 1 < LONG_WORKS;
}

static const struct worker_ops ops = {
    .on_start = on_start,
    .on_stop = on_stop,
    .on_parcel = on_parcel,
    .on_undelivered = on_undelivered,
    .on_turn_end = on_turn_end,
    .on_work = on_work,
    .is_drained = is_drained,
};

static void wait_for_event(void)
{
    struct timespec deadline;

    clock_gettime(CLOCK_REALTIME, &deadline);
    deadline.tv_sec += WAIT_S;
    cr_assert_eq(sem_timedwait(&game.event, &deadline), 0, "waited too long");
}

static void open_game(void)
{
    require_uring();
    game.group = (struct worker_group){.ops = &ops, .context = &game, .message_bytes_max = MEMORY};
    game.is_drained = true;
    sem_init(&game.event, 0, 0);
    sem_init(&game.go_on, 0, 0);
    cr_assert_eq(ring_open(&game.outside, 4, 8), 0);
}

static void close_game(void)
{
    ring_close(&game.outside);
    sem_destroy(&game.event);
    sem_destroy(&game.go_on);
}

TestSuite(worker, .init = open_game, .fini = close_game);

static void start(unsigned workers_count)
{
    cr_assert_eq(worker_group_start(&game.group, workers_count), 0);
}

static void post(unsigned target, struct call *call)
{
    cr_assert_eq(mailbox_post_from_outside(&game.outside,
                                           atomic_load(&game.group.workers[target].ring_fd), call),
                 0);
}

static void run_stop(struct worker *worker, struct call *call)
{
    (void)call;
    worker->stopping = true;
}

static void stop_all(void)
{
    for (unsigned i = 0; i < game.group.workers_count; i++) {
        game.calls[i].run = run_stop;
        post(i, &game.calls[i]);
    }
}

static void finish(void)
{
    worker_group_join(&game.group);
    cr_assert_eq(game.stopped, game.group.workers_count);
    worker_group_destroy(&game.group);
}

Test(worker, group_starts_and_ends_with_all_its_threads)
{
    for (unsigned count = 1; count <= WORKERS; count++) {
        game.started = game.stopped = 0;
        start(count);
        cr_assert_eq(game.started, count, "each is ready when the start returns");
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(game.group.workers[i].index, i);
            cr_assert_geq(game.group.workers[i].ring_fd, 0);
        }
        stop_all();
        finish();
    }
}

Test(worker, group_ends_all_threads_when_one_cannot_start)
{
    game.start_error = -EMFILE;
    cr_assert_eq(worker_group_start(&game.group, 3), -EMFILE);
    cr_assert_eq(game.started, 3);
    game.start_error = 0;
    game.started = game.stopped = 0;
    start(3);
    stop_all();
    finish();
}

static void run_note(struct worker *worker, struct call *call)
{
    struct note_call *note = container_of(call, struct note_call, call);

    CHECK(worker->index == 1);
    CHECK(note->number == atomic_load(&game.calls_run)); /* calls keep their order */
    if (atomic_fetch_add(&game.calls_run, 1) + 1 == LETTERS) {
        sem_post(&game.event);
    }
}

/* Without threads: what it looks at is the time of each worker's last turn. */
Test(worker, group_turns_while_each_worker_does)
{
    struct worker workers[2] = {0};
    const struct worker_group group = {.workers = workers, .workers_count = 2};
    unsigned stuck = 2;

    atomic_store(&workers[0].turned_ms, 10000);
    atomic_store(&workers[1].turned_ms, 10000 + WORKER_STUCK_MS);
    cr_assert(worker_group_turns(&group, 10000, &stuck));
    cr_assert(worker_group_turns(&group, 10000 + WORKER_STUCK_MS, &stuck));
    cr_assert(!worker_group_turns(&group, 10001 + WORKER_STUCK_MS, &stuck));
    cr_assert_eq(stuck, 0);
    atomic_store(&workers[0].turned_ms, 10000 + 2 * WORKER_STUCK_MS);
    cr_assert(!worker_group_turns(&group, 10001 + 2 * WORKER_STUCK_MS, &stuck));
    cr_assert_eq(stuck, 1);
}

Test(worker, runs_calls_from_outside_in_order)
{
    static struct note_call notes[LETTERS];

    start(2);
    for (unsigned i = 0; i < LETTERS; i++) {
        notes[i] = (struct note_call){.call.run = run_note, .number = i};
        post(1, &notes[i].call);
    }
    wait_for_event();
    stop_all();
    finish();
    cr_assert_eq(game.calls_run, LETTERS);
}

static void run_and_post_back(struct worker *worker, struct call *call)
{
    if (atomic_fetch_add(&game.calls_run, 1) + 1 == LETTERS) {
        sem_post(&game.event);
        return;
    }
    worker_call(worker, &worker->group->workers[1 - worker->index], call);
}

Test(worker, hands_a_call_on_to_another_worker)
{
    struct call call = {.run = run_and_post_back};

    start(2);
    post(0, &call);
    wait_for_event();
    stop_all();
    finish();
    cr_assert_eq(game.calls_run, LETTERS);
}

static void run_send_to_all(struct worker *worker, struct call *call)
{
    unsigned count = worker->group->workers_count;

    (void)call;
    for (unsigned i = 0; i < LETTERS; i++) {
        game.letters[worker->index][i] = (struct numbered){.from = worker->index, .number = i};
        for (unsigned target = 0; target < count; target++) {
            if (target != worker->index) {
                CHECK(worker_post_parcel(worker, target, &game.letters[worker->index][i]));
            }
        }
    }
}

Test(worker, delivers_every_letter_once_and_in_the_order_of_its_sender)
{
    for (unsigned count = 2; count <= WORKERS; count++) {
        uint64_t sent = 0;

        memset(game.next, 0, sizeof game.next);
        game.stopped = 0;
        start(count);
        for (unsigned i = 0; i < count; i++) {
            game.calls[i].run = run_send_to_all;
            post(i, &game.calls[i]);
        }
        for (unsigned i = 0; i < count * (count - 1); i++) {
            wait_for_event();
        }
        stop_all();
        worker_group_join(&game.group);
        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(game.group.workers[i].letters_pending, 0);
            cr_assert_eq(game.group.workers[i].counters.letters_failed, 0);
            sent += game.group.workers[i].counters.letters_sent;
            for (unsigned from = 0; from < count; from++) {
                cr_assert_eq(game.next[i][from], from == i ? 0 : LETTERS);
            }
        }
        cr_assert_eq(sent, (uint64_t)LETTERS * count * (count - 1));
        worker_group_destroy(&game.group);
    }
}

static void run_wait(struct worker *worker, struct call *call)
{
    (void)worker;
    (void)call;
    sem_post(&game.event);
    while (sem_wait(&game.go_on) != 0) {
    }
}

static struct numbered flood[LETTERS_PENDING_MAX + 1];

static void run_flood(struct worker *worker, struct call *call)
{
    (void)call;
    for (unsigned i = 0; i < LETTERS_PENDING_MAX; i++) {
        flood[i] = (struct numbered){.from = worker->index, .number = i};
        CHECK(worker_post_parcel(worker, 1, &flood[i]));
    }
    CHECK(!worker_post_parcel(worker, 1, &flood[LETTERS_PENDING_MAX]));
    CHECK(atomic_load(&worker->counters.letters_sent) == LETTERS_PENDING_MAX);
    sem_post(&game.event);
}

/* A worker that does not come to take its letters: those within the bound wait, in the kernel even
 * beyond its completion queue, and all of them arrive. */
Test(worker, bounds_the_letters_that_wait_for_another)
{
    struct call wait = {.run = run_wait}, fill = {.run = run_flood};

    start(2);
    post(1, &wait);
    wait_for_event();
    post(0, &fill);
    wait_for_event();
    sem_post(&game.go_on);
    wait_for_event();
    stop_all();
    worker_group_join(&game.group);
    cr_assert_eq(game.next[1][0], LETTERS_PENDING_MAX);
    cr_assert_eq(game.group.workers[1].letters_pending, 0);
    cr_assert_eq(game.group.workers[0].counters.letters_failed, 0);
    worker_group_destroy(&game.group);
}

static void run_post_to_a_pipe(struct worker *worker, struct call *call)
{
    struct worker *target = &worker->group->workers[1];
    static struct numbered parcel, items[2];
    int fds[2];

    (void)call;
    CHECK(pipe(fds) == 0);
    int ring_fd = atomic_exchange(&target->ring_fd, fds[0]);

    CHECK(worker_post_parcel(worker, 1, &parcel));
    for (unsigned i = 0; i < ARRAY_LENGTH(items); i++) {
        items[i] = (struct numbered){.item.come_home = come_home, .from = 1};
        outbox_add_homeward(&worker->outbox, 1, &items[i].item, true);
    }
    worker_post_homeward(worker);
    /* They leave with the submit at the end of the turn; then the pipe may go. */
    ring_submit(&worker->ring);
    atomic_store(&target->ring_fd, ring_fd);
    close(fds[0]);
    close(fds[1]);
}

/* A parcel is lost, which its maker must know; memory goes home all the same. */
Test(worker, gets_letters_back_that_could_not_be_delivered)
{
    struct call call = {.run = run_post_to_a_pipe};

    start(2);
    post(0, &call);
    for (unsigned i = 0; i < 3; i++) {
        wait_for_event();
    }
    stop_all();
    worker_group_join(&game.group);
    cr_assert_eq(game.undelivered, 1);
    cr_assert_eq(game.homecomings, 2);
    cr_assert_eq(game.group.workers[0].counters.letters_failed, 2);
    cr_assert_eq(game.group.workers[1].letters_pending, 0, "a lost letter does not wait");
    worker_group_destroy(&game.group);
}

static void run_call_through_a_pipe(struct worker *worker, struct call *call)
{
    struct worker *target = &worker->group->workers[1];
    static struct note_call note = {.call.run = run_note, .number = 0};
    int fds[2];

    (void)call;
    CHECK(pipe(fds) == 0);
    int ring_fd = atomic_exchange(&target->ring_fd, fds[0]);

    worker_call(worker, target, &note.call);
    ring_submit(&worker->ring);
    atomic_store(&target->ring_fd, ring_fd);
    close(fds[0]);
    close(fds[1]);
    sem_post(&game.event);
}

Test(worker, posts_a_call_again_that_could_not_be_delivered)
{
    struct call call = {.run = run_call_through_a_pipe};

    start(2);
    post(0, &call);
    wait_for_event();
    while (atomic_load(&game.calls_run) == 0) {
        sched_yield();
    }
    stop_all();
    worker_group_join(&game.group);
    cr_assert_eq(game.group.workers[0].counters.letters_failed, 1);
    cr_assert_eq(game.undelivered, 0);
    worker_group_destroy(&game.group);
}

static void run_drain(struct worker *worker, struct call *call)
{
    (void)worker;
    (void)call;
    atomic_store(&game.is_drained, true);
}

Test(worker, goes_on_until_it_is_drained)
{
    struct call drain = {.run = run_drain};

    game.is_drained = false;
    start(2);
    stop_all();
    for (unsigned i = 0; i < 50; i++) {
        unsigned turns = game.turns_ended;

        while (game.turns_ended == turns) {
            sched_yield();
        }
    }
    cr_assert_eq(game.stopped, 0);
    post(0, &drain);
    finish();
}

static void *block_out;

static void run_take_block(struct worker *worker, struct call *call)
{
    (void)call;
    block_out = block_pool_take(&worker->blocks, 100);
    sem_post(&game.event);
}

static int pipe_fds[2];

static void bring_block_home(struct worker *worker, struct outbox_item *item)
{
    (void)item;
    CHECK(worker->index == 0);
    block_pool_put(&worker->blocks, block_out);
}

/* Worker 0 has been stopped: nothing is left that worker 1 would have to wait for. */
static void run_post_home_and_stop(struct worker *worker, struct call *call)
{
    static struct outbox_item item = {.come_home = bring_block_home};

    (void)call;
    outbox_add_homeward(&worker->outbox, 0, &item, true);
    worker->stopping = true;
}

Test(worker, posts_memory_home_until_it_arrives_also_in_its_last_turn)
{
    struct call take = {.run = run_take_block}, last = {.run = run_post_home_and_stop};

    start(2);
    post(0, &take);
    wait_for_event();
    game.calls[0].run = run_stop;
    post(0, &game.calls[0]);
    cr_assert_eq(pipe(pipe_fds), 0);
    int ring_fd = atomic_exchange(&game.group.workers[0].ring_fd, pipe_fds[0]);

    post(1, &last);
    while (atomic_load(&game.group.workers[1].counters.letters_failed) < 5) {
        sched_yield();
    }
    atomic_store(&game.group.workers[0].ring_fd, ring_fd);
    worker_group_join(&game.group);
    cr_assert(game.has_stopped[0]);
    worker_group_destroy(&game.group);
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

static void run_put_block(struct worker *worker, struct call *call)
{
    (void)call;
    CHECK(!atomic_load(&game.has_stopped[0]));
    block_pool_put(&worker->blocks, block_out);
}

Test(worker, waits_for_its_memory_before_it_ends)
{
    struct call take = {.run = run_take_block}, put = {.run = run_put_block};

    start(2);
    post(0, &take);
    wait_for_event();
    stop_all();
    for (unsigned turns = game.turns_ended; game.turns_ended < turns + 20;) {
        sched_yield();
    }
    cr_assert(!game.has_stopped[0], "a worker ended while its memory was out");
    post(0, &put);
    worker_group_join(&game.group);
    worker_group_destroy(&game.group);
}

static void on_due(struct timer *timer)
{
    (void)timer;
    sem_post(&game.event);
}

static struct timer alarm_timer;

static void run_arm(struct worker *worker, struct call *call)
{
    (void)call;
    timer_init(&alarm_timer, on_due);
    timer_arm(&worker->timers, &alarm_timer, worker->now_ms + 50);
}

Test(worker, runs_timers_while_nothing_else_happens)
{
    struct call arm = {.run = run_arm};

    start(1);
    post(0, &arm);
    wait_for_event();
    stop_all();
    finish();
}

/* A crowd of completions of which each takes its time, as handshakes do. */
enum { CROWD = 4 * TURN_LOOK_EVERY };

static struct op crowd[CROWD];

static void crowd_on_complete(struct op *op, int result, uint32_t flags)
{
    uint64_t began_ms = clock_monotonic_ms();

    (void)op;
    CHECK(result == 0 && flags == 0);
    if (atomic_fetch_add(&game.calls_run, 1) + 1 == CROWD) {
        sem_post(&game.event);
    }
    if (atomic_load(&game.calls_run) % TURN_LOOK_EVERY == 1) {
        while (clock_monotonic_ms() <= began_ms + TURN_MS_MAX) {
            sched_yield();
        }
    }
}

static void run_crowd(struct worker *worker, struct call *call)
{
    (void)call;
    for (unsigned i = 0; i < CROWD; i++) {
        op_init(&crowd[i], crowd_on_complete);
        struct io_uring_sqe *sqe = ring_sqe(&worker->ring, &crowd[i]);

        io_uring_prep_nop(sqe);
    }
}

Test(worker, ends_its_turn_before_a_crowd_is_through)
{
    struct call call = {.run = run_crowd};

    start(1);
    post(0, &call);
    wait_for_event();
    stop_all();
    worker_group_join(&game.group);
    cr_assert_eq(game.calls_run, CROWD, "none is forgotten");
    cr_assert_geq(atomic_load(&game.group.workers[0].counters.turns_cut_short), 3);
    worker_group_destroy(&game.group);
}

static void quick_on_complete(struct op *op, int result, uint32_t flags)
{
    if (atomic_fetch_add(&game.calls_run, 1) + 1 == CROWD) {
        sem_post(&game.event);
    }
}

static void run_quick_crowd(struct worker *worker, struct call *call)
{
    for (unsigned i = 0; i < CROWD; i++) {
        op_init(&crowd[i], quick_on_complete);
        io_uring_prep_nop(ring_sqe(&worker->ring, &crowd[i]));
    }
    worker->work_waits = true;
}

/* With the time of the work, each turn would take TURN_LOOK_EVERY of them. */
Test(worker, work_takes_no_time_from_completions)
{
    struct call call = {.run = run_quick_crowd};

    start(1);
    post(0, &call);
    wait_for_event();
    stop_all();
    worker_group_join(&game.group);
    cr_assert_geq(atomic_load(&game.works), 1);
    cr_assert_leq(atomic_load(&game.group.workers[0].counters.turns_cut_short), 1,
                  "a busy machine may pause it once");
    worker_group_destroy(&game.group);
}

enum { BURST = 3 * GIVE_BACK_BLOCKS_MAX, BURST_BLOCK_BYTES = 512 };

/* In both of its pools. */
static void run_burst(struct worker *worker, struct call *call)
{
    static void *blocks[WORKERS][2][BURST];

    (void)call;
    for (unsigned i = 0; i < BURST; i++) {
        blocks[worker->index][0][i] = block_pool_take(&worker->blocks, BURST_BLOCK_BYTES);
        blocks[worker->index][1][i] = block_pool_take(&worker->requests, BURST_BLOCK_BYTES);
        CHECK(blocks[worker->index][0][i] != NULL && blocks[worker->index][1][i] != NULL);
    }
    for (unsigned i = 0; i < BURST; i++) {
        block_pool_put(&worker->blocks, blocks[worker->index][0][i]);
        block_pool_put(&worker->requests, blocks[worker->index][1][i]);
    }
}

static void wait_until_given_back(unsigned index, uint64_t bytes)
{
    const struct worker *worker = &game.group.workers[index];
    const struct timespec moment = {.tv_nsec = 1000000};
    uint64_t deadline_ms = clock_monotonic_ms() + WAIT_S * 1000;

    while (atomic_load(&worker->counters.memory_given_back) < bytes) {
        cr_assert_lt(clock_monotonic_ms(), deadline_ms, "waited too long");
        nanosleep(&moment, NULL);
    }
}

Test(worker, each_gives_the_memory_of_a_burst_back)
{
    const uint64_t bytes = UINT64_C(2) * BURST * BURST_BLOCK_BYTES;

    start(2);
    for (unsigned i = 0; i < 2; i++) {
        game.calls[2 + i].run = run_burst;
        post(i, &game.calls[2 + i]);
    }
    for (unsigned i = 0; i < 2; i++) {
        wait_until_given_back(i, bytes);
    }
    stop_all();
    finish();
}
