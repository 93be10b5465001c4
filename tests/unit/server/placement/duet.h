/* Two workers over the real kernel, without threads: the test turns each when it wants to, so that
 * a connection stays on its way between them as long as the test likes. Peers are the other ends of
 * socket pairs. One thread. */
#pragma once

#include <criterion/criterion.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/conn/receive.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/placement/placement.h"
#include "server/websocket/phase_websocket.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { DUET = 2, DUET_CONNS = 8, DUET_NOW_MS = 100000000, DUET_DEADLINE_MS = 60000 };

static const struct phase_ops *const duet_phases[PHASE_COUNT] = {
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

static struct {
    struct server_config config;
    struct conn_shared shared;
    struct topic_registry topics;
    struct worker_group group;
    struct worker workers[DUET];
    struct conn_table tables[DUET];
    char heard[4096];
    size_t heard_len;
} duet;

#define duet_counted(index, name)                                                                  \
    atomic_load_explicit(&duet.workers[index].counters.name, memory_order_relaxed)

static inline void duet_open_worker(unsigned index)
{
    struct worker *worker = &duet.workers[index];

    *worker = (struct worker){.index = index,
                              .group = &duet.group,
                              .context = &duet.tables[index],
                              .now_ms = DUET_NOW_MS};
    CHECK(ring_open(&worker->ring, 64, 256) == 0);
    atomic_store(&worker->ring_fd, worker->ring.uring.ring_fd);
    CHECK(recv_pool_init(&worker->recv_pool, &worker->ring) == 0);
    block_pool_init(&worker->blocks, 64 << 20);
    block_pool_reserve(&worker->blocks, 4 << 20);
    block_pool_init(&worker->requests, 1 << 20);
    timer_wheel_init(&worker->timers, DUET_NOW_MS);
    CHECK(engine_init(&duet.tables[index], worker, &duet.shared, NULL, 0, false) == 0);
}

UNUSED static void duet_open(void)
{
    struct access_context *access = &duet.shared.access;

    require_uring();
    memset(&duet, 0, sizeof duet);
    duet.config = (struct server_config){.handshake_timeout_ms = 10000,
                                         .write_timeout_ms = 10000,
                                         .ping_interval_ms = 25000,
                                         .stats_every_ms = 5000};
    topic_registry_init(&duet.topics, DUET);
    duet.group = (struct worker_group){.workers = duet.workers, .workers_count = DUET};
    duet.shared = (struct conn_shared){.phases = duet_phases,
                                       .connections_max = DUET_CONNS,
                                       .config = &duet.config,
                                       .topics = &duet.topics,
                                       .bounds = {.messages_max = 256, .bytes_max = 1 << 24},
                                       .placement = placement_create(DUET)};
    access->url = "ws://x";
    access->audience = "http://x";
    access->cors_origins = "";
    access->codes = code_store_create(16, 30000);
    access->bookings = bookings_create(16, access->codes);
    access->places = places_create(64);
    CHECK(access->codes != NULL && access->bookings != NULL && access->places != NULL);
    CHECK(duet.shared.placement != NULL);
    for (unsigned i = 0; i < DUET; i++) {
        duet_open_worker(i);
    }
}

static inline void duet_take_letter(struct worker *worker, uint64_t letter)
{
    CHECK((letter & OP_TAG_UNDELIVERED) == 0);
    if (letter_kind(letter) == LETTER_HOME) {
        worker_take_home(worker, letter_pointer(letter));
        return;
    }
    atomic_fetch_sub(&worker->letters_pending, 1);
    if (letter_kind(letter) == LETTER_PARCEL) {
        fanout_receive(worker, letter_pointer(letter), &duet.shared.bounds);
    } else {
        struct call *call = letter_pointer(letter);

        CHECK(atomic_load(&call->posted));
        call->run(worker, call);
    }
}

static inline void duet_take(struct worker *worker, uint64_t user_data, int result, uint32_t flags)
{
    if (letter_is(user_data)) {
        duet_take_letter(worker, user_data);
        return;
    }
    struct op *op = op_pointer(user_data);

    CHECK(op->in_flight);
    recv_pool_arrive(&worker->recv_pool, flags);
    op->in_flight = (flags & IORING_CQE_F_MORE) != 0;
    op->on_complete(op, result, flags);
}

/* One turn of that worker: it takes completions, serves requests, and sends. */
UNUSED static void duet_turn(unsigned index)
{
    struct worker *worker = &duet.workers[index];
    struct io_uring_cqe *cqe;

    recv_pool_flush(&worker->recv_pool);
    ring_submit_and_wait(&worker->ring, 0);
    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t user_data = io_uring_cqe_get_data64(cqe);
        int result = cqe->res;
        uint32_t flags = cqe->flags;

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        duet_take(worker, user_data, result, flags);
    }
    engine_on_work(&duet.tables[index]);
    fanout_flush(worker);
    engine_on_turn_end(&duet.tables[index]);
    worker_post_homeward(worker);
    ring_submit_and_wait(&worker->ring, 0);
}

UNUSED static void duet_turn_both(void)
{
    for (unsigned i = 0; i < DUET; i++) {
        duet_turn(i);
    }
}

/* Turns until the condition holds. */
#define duet_await(condition)                                                                      \
    do {                                                                                           \
        uint64_t deadline_ms = clock_monotonic_ms() + DUET_DEADLINE_MS;                            \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_monotonic_ms(), deadline_ms, "waited for " #condition);             \
            duet_turn_both();                                                                      \
        }                                                                                          \
    } while (0)

/* The same, only one worker turns. */
#define duet_await_by(index, condition)                                                            \
    do {                                                                                           \
        uint64_t deadline_ms = clock_monotonic_ms() + DUET_DEADLINE_MS;                            \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_monotonic_ms(), deadline_ms, "waited for " #condition);             \
            duet_turn(index);                                                                      \
        }                                                                                          \
    } while (0)

UNUSED static struct conn *duet_newest(unsigned index)
{
    CHECK(!list_empty(&duet.tables[index].open));
    return container_of(duet.tables[index].open.prev, struct conn, open_node);
}

/* As after an accept; the peer's end. */
UNUSED static int duet_connect(unsigned index)
{
    int ends[2];

    CHECK(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, ends) == 0);
    conn_open(&duet.tables[index], ends[0], LISTENER_RELAY);
    return ends[1];
}

UNUSED static void duet_say(int peer, const void *bytes, size_t len)
{
    cr_assert_eq(send(peer, bytes, len, MSG_NOSIGNAL), (ssize_t)len);
}

/* Turns until the peer has heard that text, and forgets what came until then. */
UNUSED static void duet_await_text(int peer, const char *text)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DUET_DEADLINE_MS;
    char *found;

    while ((found = memmem(duet.heard, duet.heard_len, text, strlen(text))) == NULL) {
        cr_assert_lt(clock_monotonic_ms(), deadline_ms, "waited for %s", text);
        duet_turn_both();
        ssize_t len = recv(peer, duet.heard + duet.heard_len, sizeof duet.heard - duet.heard_len,
                           MSG_DONTWAIT);

        duet.heard_len += len > 0 ? (size_t)len : 0;
    }
    size_t used = (size_t)(found - duet.heard) + strlen(text);

    memmove(duet.heard, duet.heard + used, duet.heard_len - used);
    duet.heard_len -= used;
}

UNUSED static bool duet_is_quiet(void)
{
    uint32_t open = 0;

    for (unsigned i = 0; i < DUET; i++) {
        open += duet.tables[i].open_count + duet.workers[i].letters_pending +
                (uint32_t)duet.workers[i].blocks.blocks_used;
    }
    return open == 0;
}

/* With all that was lent out back in its place, or it aborts. */
UNUSED static void duet_close(void)
{
    struct access_context *access = &duet.shared.access;

    duet_await(duet.tables[0].leaving + duet.tables[1].leaving == 0);
    for (unsigned i = 0; i < DUET; i++) {
        list_for_each(node, &duet.tables[i].open)
        {
            conn_close_now(container_of(node, struct conn, open_node), CLOSE_DRAIN);
        }
    }
    duet_await(duet_is_quiet());
    for (unsigned i = 0; i < DUET; i++) {
        engine_deinit(&duet.tables[i]);
        ring_close(&duet.workers[i].ring);
        recv_pool_deinit(&duet.workers[i].recv_pool);
        block_pool_deinit(&duet.workers[i].blocks);
        block_pool_deinit(&duet.workers[i].requests);
    }
    places_destroy(access->places);
    bookings_destroy(access->bookings);
    code_store_destroy(access->codes);
    placement_destroy(duet.shared.placement);
    topic_registry_deinit(&duet.topics);
}
