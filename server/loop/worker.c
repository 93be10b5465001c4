#include "server/loop/worker.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/thread.h"

enum { DRAIN_POLL_MS = 10, POST_AGAIN_MS = 10 };

/* A letter that was counted when it was posted has arrived, or came back. */
static void uncount_letter(struct worker *target)
{
    uint32_t pending = atomic_fetch_sub_explicit(&target->letters_pending, 1, memory_order_relaxed);

    CHECK(pending > 0);
}

static void post_home(struct worker *from, unsigned home, struct outbox_item *items)
{
    counters_increment(&from->counters, letters_sent);
    mailbox_post(&from->ring,
                 atomic_load_explicit(&from->group->workers[home].ring_fd, memory_order_relaxed),
                 letter_pack(LETTER_HOME, items, home));
}

/* The kernel had no memory for the completion. A parcel is lost for that worker; a call must
 * arrive, and memory come home: its receiver lives until it does. */
static void take_undelivered(struct worker *worker, uint64_t letter)
{
    struct worker *target = &worker->group->workers[letter_target(letter)];
    enum letter_kind kind = letter_kind(letter);

    counters_increment(&worker->counters, letters_failed);
    if (kind != LETTER_HOME) {
        uncount_letter(target);
    }
    switch (kind) {
    case LETTER_PARCEL:
        worker->group->ops->on_undelivered(worker, letter_pointer(letter));
        return;
    case LETTER_HOME:
        post_home(worker, target->index, letter_pointer(letter));
        return;
    case LETTER_CALL:
        worker_call(worker, target, letter_pointer(letter));
        return;
    }
}

static void take_letter(struct worker *worker, uint64_t letter)
{
    void *pointer = letter_pointer(letter);

    switch (letter_kind(letter)) {
    case LETTER_CALL: {
        struct call *call = pointer;

        CHECK(atomic_load_explicit(&call->posted, memory_order_acquire));
        if (call->counted) {
            uncount_letter(worker);
        }
        call->run(worker, call);
        return;
    }
    case LETTER_PARCEL:
        uncount_letter(worker);
        worker->group->ops->on_parcel(worker, pointer);
        return;
    case LETTER_HOME:
        worker_take_home(worker, pointer);
        return;
    }
}

static void take_completion(struct worker *worker, const struct io_uring_cqe *cqe)
{
    uint64_t user_data = io_uring_cqe_get_data64(cqe);

    if (letter_is(user_data)) {
        if ((user_data & OP_TAG_UNDELIVERED) != 0) {
            take_undelivered(worker, user_data);
        } else {
            take_letter(worker, user_data);
        }
        return;
    }
    struct op *op = op_pointer(user_data);

    recv_pool_arrive(&worker->recv_pool, cqe->flags);
    /* Owners come from pools that live as long as the worker, so reading a stale op is safe. */
    if (op->generation != (uint16_t)(user_data >> OP_GENERATION_SHIFT) || !op->in_flight) {
        counters_increment(&worker->counters, stale_completions);
        recv_pool_return(&worker->recv_pool, cqe->flags);
        return;
    }
    op->in_flight = (cqe->flags & IORING_CQE_F_MORE) != 0;
    op->on_complete(op, cqe->res, cqe->flags);
}

/* The rest waits for the next turn, which begins at once: sends go out at the end of a turn, and
 * must not wait for a burst of handshakes. True: nothing is left. */
static bool take_completions(struct worker *worker)
{
    struct io_uring_cqe *cqe;
    unsigned head;
    unsigned count = 0;
    bool all = true;

    io_uring_for_each_cqe(&worker->ring.uring, head, cqe)
    {
        bool is_letter = letter_is(io_uring_cqe_get_data64(cqe)); /* of many messages */

        take_completion(worker, cqe);
        count++;
        if ((is_letter || count % TURN_LOOK_EVERY == 0) &&
            clock_monotonic_ms() >= worker->looked_ms + TURN_MS_MAX) {
            counters_increment(&worker->counters, turns_cut_short);
            all = false;
            break;
        }
    }
    io_uring_cq_advance(&worker->ring.uring, count);
    return all;
}

/* Time never runs backwards for a worker, even if its reading is from before a pause. */
static void look_at_clock(struct worker *worker)
{
    uint64_t monotonic_ms = clock_monotonic_ms();
    uint64_t pause_ms;
    uint64_t now_ms = run_clock_look(&worker->group->clock, monotonic_ms, &pause_ms);

    worker->looked_ms = monotonic_ms;
    worker->now_ms = now_ms > worker->now_ms ? now_ms : worker->now_ms;
    if (pause_ms > 0) {
        counters_increment(&worker->counters, pauses);
        log_warn("the process was paused; deadlines are extended", LOG_INT("pause_ms", pause_ms));
    }
}

static int64_t wait_ms(const struct worker *worker, int64_t wait_ms_max)
{
    int64_t timers_ms = timer_wheel_wait_ms(&worker->timers, worker->now_ms);

    if (worker->work_waits || worker->gives_back) {
        return 0;
    }
    return timers_ms < 0 || timers_ms > wait_ms_max ? wait_ms_max : timers_ms;
}

static void wait_for_completions(struct worker *worker, int64_t wait_ms_max)
{
    look_at_clock(worker);
    ring_submit_and_wait(&worker->ring, wait_ms(worker, wait_ms_max));
    look_at_clock(worker);
}

/* Data that arrived in time is read before a deadline is checked. A flood must not delay all of
   them.
 */
static void run_timers(struct worker *worker, bool all_taken)
{
    uint64_t wait_ms_max = worker->stopping ? TIMER_TICK_MS : TIMERS_WAIT_MS_MAX;

    if (all_taken || worker->now_ms - worker->timers_ran_ms >= wait_ms_max) {
        timer_wheel_advance(&worker->timers, worker->now_ms);
        worker->timers_ran_ms = worker->now_ms;
    }
}

static void turn(struct worker *worker, int64_t wait_ms_max)
{
    recv_pool_flush(&worker->recv_pool);
    wait_for_completions(worker, wait_ms_max);
    uint64_t woke_ns = clock_monotonic_ns();

    atomic_store_explicit(&worker->turned_ms, worker->now_ms, memory_order_relaxed);
    counters_increment(&worker->counters, turns);
    if (worker->work_waits) {
        worker->group->ops->on_work(worker);
        look_at_clock(worker); /* its time is not taken from the completions */
    }
    bool all_taken = take_completions(worker);

    worker->whole_turns += all_taken ? 1 : 0;
    run_timers(worker, all_taken);
    worker->group->ops->on_turn_end(worker);
    worker_post_homeward(worker);
    atomic_store_explicit(&worker->blocks_left, block_pool_left(&worker->blocks),
                          memory_order_relaxed);
    histogram_add(&worker->turns, (clock_monotonic_ns() - woke_ns) / 1000);
}

size_t worker_memory_left(const struct worker *asking, unsigned index)
{
    if (index == asking->index) {
        return block_pool_left(&asking->blocks);
    }
    return atomic_load_explicit(&asking->group->workers[index].blocks_left, memory_order_relaxed);
}

bool worker_memory_has_half(const struct worker *asking, unsigned index, size_t bytes)
{
    /* All workers have equal parts. */
    return worker_memory_left(asking, index) > asking->blocks.bytes_max / 2 + bytes;
}

/* A worker that has nothing left keeps running until all others have nothing left either: their
 * last messages may still have to return to it. */
static bool may_end(struct worker *worker, bool *drained)
{
    if (!worker->stopping) {
        return false;
    }
    if (!*drained && worker->group->ops->is_drained(worker)) {
        *drained = true;
        unsigned undrained = atomic_fetch_sub(&worker->group->undrained, 1);

        CHECK(undrained > 0);
    }
    return *drained && atomic_load(&worker->group->undrained) == 0 &&
           atomic_load(&worker->letters_pending) == 0 && worker->blocks.blocks_used == 0;
}

/* Some in each turn: to free all of a burst at once would delay messages. */
static void give_back(struct worker *worker)
{
    if (worker->now_ms >= worker->period_ends_ms) {
        block_pool_end_period(&worker->blocks);
        block_pool_end_period(&worker->requests);
        worker->period_ends_ms = worker->now_ms + IDLE_PERIOD_MS;
        worker->gives_back = true;
    }
    if (worker->gives_back) {
        size_t bytes =
            block_pool_give_back(&worker->blocks) + block_pool_give_back(&worker->requests);

        counters_add(&worker->counters, memory_given_back, bytes);
        worker->gives_back = bytes > 0;
    }
}

static void run(struct worker *worker)
{
    bool drained = false;

    while (!may_end(worker, &drained)) {
        turn(worker, worker->stopping ? DRAIN_POLL_MS : WAIT_MS_MAX);
        give_back(worker);
    }
    /* Receivers wait for messages that return to them in the last turn. Letters that the kernel had
     * no memory for come back, and are posted again. */
    do {
        ring_submit(&worker->ring);
        take_completions(worker);
    } while (io_uring_sq_ready(&worker->ring.uring) > 0);
}

static int start(struct worker *worker)
{
    int failed = ring_open(&worker->ring, RING_SQ_ENTRIES, RING_CQ_ENTRIES);

    if (failed != 0) {
        return failed;
    }
    /* Saves the look-up of the ring's descriptor in each turn; optional, so failure is ignored. */
    io_uring_register_ring_fd(&worker->ring.uring);
    failed = recv_pool_init(&worker->recv_pool, &worker->ring);
    if (failed != 0) {
        ring_close(&worker->ring);
        return failed;
    }
    worker->looked_ms = clock_monotonic_ms();
    worker->now_ms = run_clock_at(&worker->group->clock, worker->looked_ms);
    worker->timers_ran_ms = worker->now_ms;
    worker->period_ends_ms = worker->now_ms + IDLE_PERIOD_MS;
    timer_wheel_init(&worker->timers, worker->now_ms);
    block_pool_init(&worker->blocks, worker->group->message_bytes_max);
    block_pool_reserve(&worker->blocks, worker->group->message_bytes_max / 16);
    block_pool_init(&worker->requests, REQUEST_MEMORY_BYTES);
    block_pool_reserve(&worker->requests, REQUEST_MEMORY_BYTES / 16);
    atomic_store(&worker->blocks_left, block_pool_left(&worker->blocks));
    atomic_store(&worker->turned_ms, worker->now_ms);
    atomic_store(&worker->ring_fd, worker->ring.uring.ring_fd);
    return worker->group->ops->on_start(worker);
}

static void *thread_main(void *argument)
{
    struct worker *worker = argument;
    char name[16];

    snprintf(name, sizeof name, "worker %u", worker->index);
    pthread_setname_np(pthread_self(), name);
    worker->start_error = start(worker);
    pthread_barrier_wait(&worker->group->started);
    /* The starting thread looks at all errors between the two barriers. */
    pthread_barrier_wait(&worker->group->started);
    if (!worker->stopping) {
        run(worker);
    }
    if (atomic_load(&worker->ring_fd) >= 0) {
        worker->group->ops->on_stop(worker);
        /* No thread may post to a closed ring. */
        pthread_barrier_wait(&worker->group->started);
        ring_close(&worker->ring);
        recv_pool_deinit(&worker->recv_pool);
        block_pool_deinit(&worker->blocks);
        block_pool_deinit(&worker->requests);
    } else {
        pthread_barrier_wait(&worker->group->started);
    }
    return NULL;
}

static int first_error(const struct worker_group *group)
{
    for (unsigned i = 0; i < group->workers_count; i++) {
        if (group->workers[i].start_error != 0) {
            return group->workers[i].start_error;
        }
    }
    return 0;
}

int worker_group_start(struct worker_group *group, unsigned workers_count)
{
    CHECK(workers_count > 0 && workers_count <= WORKERS_MAX);
    group->workers_count = workers_count;
    group->workers = aligned_alloc(64, (sizeof *group->workers + 63) / 64 * 64 * workers_count);
    if (group->workers == NULL) {
        return -ENOMEM;
    }
    pthread_barrier_init(&group->started, NULL, workers_count + 1);
    run_clock_init(&group->clock, clock_monotonic_ms());
    atomic_store(&group->undrained, workers_count);
    for (unsigned i = 0; i < workers_count; i++) {
        group->workers[i] = (struct worker){.index = i, .group = group, .ring_fd = -1};
    }
    for (unsigned i = 0; i < workers_count; i++) {
        int failed = thread_start(&group->workers[i].thread, thread_main, &group->workers[i]);

        if (failed != 0) {
            /* The running threads wait at the barrier for the full count: the process must exit. */
            return WORKER_GROUP_STUCK;
        }
    }
    pthread_barrier_wait(&group->started);
    int failed = first_error(group);

    for (unsigned i = 0; failed != 0 && i < workers_count; i++) {
        group->workers[i].stopping = true;
    }
    pthread_barrier_wait(&group->started);
    if (failed != 0) {
        worker_group_join(group);
        worker_group_destroy(group);
    }
    return failed;
}

void worker_group_join(struct worker_group *group)
{
    pthread_barrier_wait(&group->started);
    for (unsigned i = 0; i < group->workers_count; i++) {
        pthread_join(group->workers[i].thread, NULL);
    }
}

void worker_group_destroy(struct worker_group *group)
{
    pthread_barrier_destroy(&group->started);
    run_clock_deinit(&group->clock);
    free(group->workers);
    group->workers = NULL;
}

bool worker_group_turns(const struct worker_group *group, uint64_t now_ms, unsigned *ret_stuck)
{
    for (unsigned i = 0; i < group->workers_count; i++) {
        uint64_t turned_ms =
            atomic_load_explicit(&group->workers[i].turned_ms, memory_order_relaxed);

        /* It may have looked at the clock later than the caller. */
        if (now_ms > turned_ms && now_ms - turned_ms > WORKER_STUCK_MS) {
            *ret_stuck = i;
            return false;
        }
    }
    return true;
}

void worker_alarm(struct worker *worker, enum alarm_kind kind)
{
    alarms_raise(&worker->alarms, kind, worker->now_ms);
}

void worker_alarm_about(struct worker *worker, enum alarm_kind kind, const char *key,
                        const char *text)
{
    alarms_raise_about(&worker->alarms, kind, worker->now_ms, key, text);
}

void worker_call(struct worker *from, struct worker *target, struct call *call)
{
    counters_increment(&from->counters, letters_sent);
    call->counted = true;
    atomic_fetch_add_explicit(&target->letters_pending, 1, memory_order_relaxed);
    mailbox_post_call(&from->ring, atomic_load(&target->ring_fd), call, target->index);
}

void worker_group_call(struct worker_group *group, struct ring *from, struct call *calls[],
                       void (*on_call)(struct worker *worker, struct call *call))
{
    for (unsigned i = 0; i < group->workers_count; i++) {
        calls[i]->run = on_call;
        while (mailbox_post_from_outside(from, atomic_load(&group->workers[i].ring_fd), calls[i]) !=
               0) {
            nanosleep(&(struct timespec){.tv_nsec = POST_AGAIN_MS * 1000 * 1000}, NULL);
        }
    }
}

bool worker_post_parcel(struct worker *from, unsigned target_index, void *parcel)
{
    struct worker *target = &from->group->workers[target_index];

    if (atomic_load_explicit(&target->letters_pending, memory_order_relaxed) >=
        LETTERS_PENDING_MAX) {
        return false;
    }
    atomic_fetch_add_explicit(&target->letters_pending, 1, memory_order_relaxed);
    counters_increment(&from->counters, letters_sent);
    mailbox_post(&from->ring, atomic_load_explicit(&target->ring_fd, memory_order_relaxed),
                 letter_pack(LETTER_PARCEL, parcel, target_index));
    return true;
}

void worker_post_homeward(struct worker *from)
{
    struct outbox_item *items;
    unsigned home;

    if (from->stopping) {
        outbox_hurry(&from->outbox); /* this turn may be its last */
    }
    while ((items = outbox_take_homeward(&from->outbox, &home)) != NULL) {
        post_home(from, home, items);
    }
}

void worker_take_home(struct worker *worker, struct outbox_item *items)
{
    while (items != NULL) {
        struct outbox_item *next = outbox_next(items);

        items->come_home(worker, items);
        items = next;
    }
}
