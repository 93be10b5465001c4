/* Workers without threads, with tables of connections that are only filled in: the test turns each
 * worker when it wants to, so that it knows which letters have come. What is answered is read from
 * the queue of who asked. One thread. */
#pragma once

#include <criterion/criterion.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/tls/phase_tls.h"
#include "server/conn/transport.h"
#include "server/http/booking_change.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/report/report.h"
#include "server/report/stats_topic.h"
#include "server/websocket/phase_websocket.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum {
    WORKERS = 2,
    NOW_MS = 100000000,
    STARTED_S = 1700000000,
    DEADLINE_MS = 60000,
    CONNS = 300, /* in each table */
    ASKERS = 80  /* requests, on the first worker */
};

static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_TLS] = &phase_tls_ops,
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

static struct {
    struct server_config config;
    struct conn_shared shared;
    struct topic_registry topics;
    struct worker_group group;
    struct worker workers[WORKERS];
    struct conn_table tables[WORKERS];
    struct conn conns[WORKERS][CONNS];
    struct conn askers[ASKERS];
    struct subscriber listener; /* of the topic "stats", on the last worker */
    char read[1 << 17];
} scene;

static inline void on_due(struct timer *timer)
{
}

static inline void on_queued(struct subscriber *subscriber)
{
}

static inline void open_worker(unsigned index)
{
    struct worker *worker = &scene.workers[index];
    struct conn_table *table = &scene.tables[index];

    *worker =
        (struct worker){.index = index, .group = &scene.group, .context = table, .now_ms = NOW_MS};
    conn_table_init(table, worker, &scene.shared);
    table->conns = scene.conns[index];
    cr_assert_eq(ring_open(&worker->ring, 64, 256), 0);
    atomic_store(&worker->ring_fd, worker->ring.uring.ring_fd);
    block_pool_init(&worker->blocks, 64 << 20);
    block_pool_init(&worker->requests, 1 << 20);
    timer_wheel_init(&worker->timers, NOW_MS);
    timer_init(&table->report_timer, on_due);
}

static inline void init_conn(struct conn *conn, unsigned worker_index, enum conn_phase phase)
{
    *conn = (struct conn){.phase = phase,
                          .fd = -1,
                          .worker = &scene.workers[worker_index],
                          .table = &scene.tables[worker_index],
                          .transport = &transport_plain,
                          .receive_blocked = true, /* it has no socket */
                          .serial = 1};
    conn_send_init(conn);
    unfinished_entry_init(&conn->unfinished);
    list_init(&conn->paced_node);
    list_init(&conn->subscriber.room_node);
    list_init(&conn->starved_node);
    conn_receive_init(conn);
    timer_init(&conn->deadline, on_due);
    list_init(&conn->open_node);
    list_append(&conn->table->open, &conn->open_node);
}

static inline void open_scene(unsigned workers_count)
{
    require_uring();
    memset(&scene, 0, sizeof scene);
    scene.group = (struct worker_group){.workers = scene.workers, .workers_count = workers_count};
    topic_registry_init(&scene.topics, workers_count);
    scene.config = (struct server_config){.stats_every_ms = 5000};
    scene.shared = (struct conn_shared){.phases = phases,
                                        .on_command = stats_topic_on_command,
                                        .started_s = STARTED_S,
                                        .config = &scene.config,
                                        .topics = &scene.topics,
                                        .bounds = {.messages_max = 16, .bytes_max = 1 << 24}};
    scene.shared.stats_topic = topic_find_or_create(&scene.topics, STATS_TOPIC);
    cr_assert_not_null(scene.shared.stats_topic);
    for (unsigned i = 0; i < workers_count; i++) {
        open_worker(i);
    }
    for (unsigned i = 0; i < ASKERS; i++) {
        init_conn(&scene.askers[i], 0, PHASE_HTTP);
        phase_http_of(&scene.askers[i])->minor_version = 1;
    }
    list_init(&scene.listener.node);
    send_queue_init(&scene.listener.queue);
    scene.listener.on_queued = on_queued;
}

static inline void take_letter(struct worker *worker, uint64_t letter)
{
    CHECK(letter_is(letter) && (letter & OP_TAG_UNDELIVERED) == 0);
    switch (letter_kind(letter)) {
    case LETTER_PARCEL:
        atomic_fetch_sub(&worker->letters_pending, 1);
        fanout_receive(worker, letter_pointer(letter), &scene.shared.bounds);
        return;
    case LETTER_HOME:
        worker_take_home(worker, letter_pointer(letter));
        return;
    case LETTER_CALL: {
        struct call *call = letter_pointer(letter);

        CHECK(atomic_load(&call->posted)); /* as the loop does */
        if (call->counted) {
            atomic_fetch_sub(&worker->letters_pending, 1);
        }
        call->run(worker, call);
        return;
    }
    }
}

static inline void turn(struct worker *worker)
{
    struct io_uring_cqe *cqe;

    ring_submit_and_wait(&worker->ring, 0);
    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t letter = io_uring_cqe_get_data64(cqe);

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        take_letter(worker, letter);
    }
    fanout_flush(worker);
    worker_post_homeward(worker);
}

static inline bool is_quiet(void)
{
    for (unsigned i = 0; i < scene.group.workers_count; i++) {
        if (atomic_load(&scene.workers[i].letters_pending) > 0 || scene.tables[i].deferred > 0) {
            return false;
        }
    }
    return true;
}

static inline void settle(void)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;

    do {
        CHECK(clock_monotonic_ms() < deadline_ms);
        for (unsigned i = 0; i < scene.group.workers_count; i++) {
            turn(&scene.workers[i]);
        }
    } while (!is_quiet());
}

static inline void drain(struct send_queue *queue, struct worker *worker)
{
    size_t used = 0;

    while (!send_queue_empty(queue)) {
        struct iovec slices[8];
        unsigned count = send_queue_begin(queue, worker, slices, 8);
        size_t sent = 0;

        for (unsigned i = 0; i < count; i++) {
            CHECK(used + slices[i].iov_len < sizeof scene.read);
            memcpy(scene.read + used, slices[i].iov_base, slices[i].iov_len);
            used += slices[i].iov_len;
            sent += slices[i].iov_len;
        }
        send_queue_end(queue, worker, sent);
    }
    scene.read[used] = '\0';
}

static inline void close_conn(struct conn *conn)
{
    if (conn->phase != PHASE_FREE) {
        send_queue_clear(&conn->subscriber.queue, conn->worker);
    }
    if (conn->phase == PHASE_WEBSOCKET) {
        topic_unref(phase_websocket_of(conn)->topic);
    }
}

static inline void close_scene(void)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;

    for (unsigned i = 0; i < ASKERS; i++) {
        drain(&scene.askers[i].subscriber.queue, &scene.workers[0]);
    }
    drain(&scene.listener.queue, &scene.workers[scene.group.workers_count - 1]);
    for (unsigned i = 0; i < WORKERS * CONNS; i++) {
        close_conn(&scene.conns[i / CONNS][i % CONNS]);
    }
    for (unsigned i = 0; i < scene.group.workers_count; i++) {
        while (scene.workers[i].blocks.blocks_used > 0) { /* messages come home by letter */
            CHECK(clock_monotonic_ms() < deadline_ms);
            settle();
        }
    }
    for (unsigned i = 0; i < scene.group.workers_count; i++) {
        block_pool_deinit(&scene.workers[i].blocks);
        block_pool_deinit(&scene.workers[i].requests);
        ring_close(&scene.workers[i].ring);
    }
    topic_unref(scene.shared.stats_topic);
    topic_registry_deinit(&scene.topics);
}

/* In the place of that number. */
static inline struct conn *add_websocket(unsigned number, unsigned worker_index, const char *topic)
{
    struct conn *conn = &scene.conns[worker_index][number];
    struct phase_websocket *ws = phase_websocket_of(conn);

    init_conn(conn, worker_index, PHASE_WEBSOCKET);
    conn->table->places.made =
        conn->table->places.made > number ? conn->table->places.made : number + 1;
    *ws = (struct phase_websocket){.topic = topic_find_or_create(&scene.topics, topic),
                                   .identity = {.booking_id = "",
                                                .scopes_json = "[\"read\"]",
                                                .user_agent = "ua/1",
                                                .remote_address = "",
                                                .reported_address = "203.0.113.7"},
                                   .can_read = true,
                                   .opened_s = STARTED_S + 5,
                                   .exp_s = STARTED_S + 65};
    cr_assert_not_null(ws->topic);
    return conn;
}
