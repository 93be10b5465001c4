/* Workers without threads: their pools and rings, turned by the test itself, so that every letter
 * moves when the test says so. One thread. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/hub/fanout.h"
#include "server/loop/worker.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { CLUSTER_WORKERS_MAX = 4, CLUSTER_DEADLINE_MS = 60000, CLUSTER_MEMORY = 64 * 1024 * 1024 };

/* Clean-up uses CHECK, not the framework's assertions: those do not fail a test when they fail in
 * its tear-down. */

/* A worker that only has memory: enough for everything that stays within it. */
static inline void lone_worker_init(struct worker *worker, size_t bytes_max)
{
    *worker = (struct worker){.index = 0, .ring_fd = -1};
    block_pool_init(&worker->blocks, bytes_max);
    block_pool_init(&worker->requests, bytes_max);
}

static inline void lone_worker_deinit(struct worker *worker)
{
    block_pool_deinit(&worker->blocks);
    block_pool_deinit(&worker->requests);
}

/* A framed message whose payload is text. The caller has its one reference. */
static inline struct message *message_of_text(struct worker *worker, enum ws_opcode opcode,
                                              const char *text)
{
    struct message *message = message_create(worker, strlen(text));

    cr_assert_not_null(message);
    memcpy(message->payload, text, strlen(text));
    message->payload_len = (uint32_t)strlen(text);
    message_frame(message, opcode);
    return message;
}

/* Gives up the reference of whoever made the message. */
static inline void message_release(struct worker *worker, struct message *message)
{
    share_unref(worker, &message->home_share);
}

#define counted(worker, name) atomic_load_explicit(&(worker)->counters.name, memory_order_relaxed)

struct cluster {
    struct worker_group group;
    struct worker workers[CLUSTER_WORKERS_MAX];
    struct send_queue_bounds bounds;
    uint64_t letters_taken;
    unsigned homecomings; /* LETTER_HOME among them */
};

static inline void cluster_init(struct cluster *cluster, unsigned workers_count)
{
    require_uring();
    *cluster = (struct cluster){
        .group = {.workers = cluster->workers, .workers_count = workers_count},
        .bounds = {.messages_max = 128, .bytes_max = 1 << 24},
    };
    for (unsigned i = 0; i < workers_count; i++) {
        struct worker *worker = &cluster->workers[i];

        *worker = (struct worker){.index = i, .group = &cluster->group};
        cr_assert_eq(ring_open(&worker->ring, 64, 1024), 0);
        block_pool_init(&worker->blocks, CLUSTER_MEMORY);
        atomic_store(&worker->blocks_left, CLUSTER_MEMORY);
        atomic_store(&worker->ring_fd, worker->ring.uring.ring_fd);
    }
}

static inline void cluster_deinit(struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->group.workers_count; i++) {
        CHECK(cluster->workers[i].letters_pending == 0);
        block_pool_deinit(&cluster->workers[i].blocks);
        ring_close(&cluster->workers[i].ring);
    }
}

static inline void cluster_take_letter(struct cluster *cluster, struct worker *worker,
                                       uint64_t letter)
{
    cr_assert(letter_is(letter));
    cr_assert_eq(letter & OP_TAG_UNDELIVERED, 0, "a letter came back");
    cluster->letters_taken++;
    switch (letter_kind(letter)) {
    case LETTER_PARCEL:
        atomic_fetch_sub(&worker->letters_pending, 1);
        fanout_receive(worker, letter_pointer(letter), &cluster->bounds);
        return;
    case LETTER_HOME:
        cluster->homecomings++;
        worker_take_home(worker, letter_pointer(letter));
        return;
    case LETTER_CALL: {
        struct call *call = letter_pointer(letter);

        atomic_fetch_sub(&worker->letters_pending, 1);
        call->run(worker, call);
        return;
    }
    }
    cr_assert_fail("unexpected kind of letter");
}

static inline uint64_t cluster_letters_sent(struct cluster *cluster)
{
    uint64_t sent = 0;

    for (unsigned i = 0; i < cluster->group.workers_count; i++) {
        sent += counted(&cluster->workers[i], letters_sent);
    }
    return sent;
}

/* What a worker does at the end of its turn. */
static inline void cluster_end_turn(struct worker *worker)
{
    fanout_flush(worker);
    worker_post_homeward(worker);
}

/* Lets a worker take the letters that have reached it. */
static inline void cluster_take_waiting(struct cluster *cluster, struct worker *worker)
{
    struct io_uring_cqe *cqe;

    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t letter = io_uring_cqe_get_data64(cqe);

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        cluster_take_letter(cluster, worker, letter);
    }
}

static inline bool cluster_is_quiet(const struct cluster *cluster)
{
    for (unsigned i = 0; i < cluster->group.workers_count; i++) {
        if (cluster->workers[i].outbox.homes != 0) {
            return false;
        }
    }
    return true;
}

/* One turn of a worker, with the letters that are there. */
static inline void cluster_turn(struct cluster *cluster, struct worker *worker)
{
    struct io_uring_cqe *cqe;

    ring_submit_and_wait(&worker->ring, 0);
    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t letter = io_uring_cqe_get_data64(cqe);

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        cluster_take_letter(cluster, worker, letter);
    }
    cluster_end_turn(worker);
}

/* Turns all workers until every letter that was sent has been taken. */
static inline void cluster_settle(struct cluster *cluster)
{
    uint64_t deadline_ms = clock_monotonic_ms() + CLUSTER_DEADLINE_MS;

    for (unsigned i = 0; i < cluster->group.workers_count; i++) {
        cluster_end_turn(&cluster->workers[i]);
    }
    do {
        cr_assert_lt(clock_monotonic_ms(), deadline_ms, "a letter was lost");
        for (unsigned i = 0; i < cluster->group.workers_count; i++) {
            cluster_turn(cluster, &cluster->workers[i]);
        }
    } while (cluster->letters_taken < cluster_letters_sent(cluster) || !cluster_is_quiet(cluster));
}
