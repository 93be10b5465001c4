/* One worker over a kernel that the test plays (fake_kernel.h), with a table of connections on real
 * sockets and, in the place of the phases above, one that writes down what it is told. One thread.
 * Set-up and clean-up use CHECK: the framework's assertions do not fail a test there. */
#pragma once

#include <criterion/criterion.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/transport.h"
#include "server/hub/message.h"
#include "tests/unit/server/conn/fake_kernel.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum {
    STAGE_CONNS = 4,
    STAGE_NOW_MS = 100000000,
    STAGE_WRITE_TIMEOUT_MS = 10000,
    STAGE_MEMORY = 64 << 20,
    STAGE_RESERVE = 4 << 20,
    STAGE_DEADLINE_MS = 60000,
};

static struct {
    struct server_config config;
    struct conn_shared shared;
    struct topic_registry topics;
    struct worker_group group;
    struct worker worker;
    struct conn_table table;
    struct conn conns[STAGE_CONNS];
    uint32_t free_places[STAGE_CONNS];
    int peers[STAGE_CONNS]; /* the other ends, by place in the table */
    char heard[8192];
    size_t heard_len;
} stage;

/* The phase that writes down */

UNUSED __attribute__((format(printf, 1, 2))) static void hear(const char *format, ...)
{
    va_list arguments;

    va_start(arguments, format);
    stage.heard_len += (size_t)vsnprintf(stage.heard + stage.heard_len,
                                         sizeof stage.heard - stage.heard_len, format, arguments);
    va_end(arguments);
    CHECK(stage.heard_len < sizeof stage.heard);
}

static void recorder_on_enter(struct conn *conn)
{
    hear("enter ");
}

static void recorder_on_bytes(struct conn *conn, struct bytes bytes)
{
    hear("%.*s ", (int)bytes.len, (const char *)bytes.data);
}

static void recorder_on_sent(struct conn *conn)
{
    hear("sent ");
}

static void recorder_on_eof(struct conn *conn)
{
    hear("eof ");
}

static void recorder_on_deadline(struct conn *conn)
{
    hear("deadline ");
}

static void recorder_on_failed(struct conn *conn, enum close_reason reason)
{
    hear("failed: %s ", close_reason_text(reason));
    conn_close_now(conn, reason);
}

static void recorder_on_end(struct conn *conn, enum close_reason reason)
{
    hear("end: %s ", close_reason_text(reason));
}

static void recorder_on_leave(struct conn *conn)
{
    hear("leave ");
}

UNUSED static const struct phase_ops recorder_ops = {
    .on_enter = recorder_on_enter,
    .on_bytes = recorder_on_bytes,
    .on_sent = recorder_on_sent,
    .on_eof = recorder_on_eof,
    .on_deadline = recorder_on_deadline,
    .on_failed = recorder_on_failed,
    .on_end = recorder_on_end,
    .on_leave = recorder_on_leave,
};

UNUSED static const struct phase_ops *const recorders[PHASE_COUNT] = {
    [PHASE_TLS] = &recorder_ops,
    [PHASE_HTTP] = &recorder_ops,
    [PHASE_WEBSOCKET] = &recorder_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

/* Since the last look. */
#define expect_heard(text)                                                                         \
    do {                                                                                           \
        cr_assert_str_eq(stage.heard, text);                                                       \
        stage.heard[0] = '\0';                                                                     \
        stage.heard_len = 0;                                                                       \
    } while (0)

#define stage_counted(name) atomic_load_explicit(&stage.worker.counters.name, memory_order_relaxed)

/* The stage */

UNUSED static void stage_open_table(void)
{
    struct conn_table *table = &stage.table;

    conn_table_init(table, &stage.worker, &stage.shared);
    table->conns = stage.conns;
    table->places = (struct slab){.memory = (uint8_t *)stage.conns,
                                  .place_bytes = sizeof(struct conn),
                                  .places_max = STAGE_CONNS,
                                  .free = stage.free_places};
    timer_init(&table->accept_retry, listener_on_retry);
}

UNUSED static void stage_open_with(const struct phase_ops *const *phases)
{
    struct worker *worker = &stage.worker;

    require_uring();
    memset(&stage, 0, sizeof stage);
    memset(stage.peers, -1, sizeof stage.peers);
    stage.config = (struct server_config){.handshake_timeout_ms = 10000,
                                          .write_timeout_ms = STAGE_WRITE_TIMEOUT_MS,
                                          .ping_interval_ms = 25000,
                                          .stats_every_ms = 5000};
    topic_registry_init(&stage.topics, 1);
    stage.shared = (struct conn_shared){.phases = phases,
                                        .connections_max = STAGE_CONNS,
                                        .config = &stage.config,
                                        .topics = &stage.topics,
                                        .bounds = {.messages_max = 256, .bytes_max = 1 << 24}};
    stage.group = (struct worker_group){.workers = worker, .workers_count = 1};
    *worker = (struct worker){
        .group = &stage.group, .context = &stage.table, .now_ms = STAGE_NOW_MS, .ring_fd = -1};
    CHECK(ring_open(&worker->ring, 64, 64) == 0);
    CHECK(recv_pool_init(&worker->recv_pool, &worker->ring) == 0);
    block_pool_init(&worker->blocks, STAGE_MEMORY);
    block_pool_reserve(&worker->blocks, STAGE_RESERVE);
    block_pool_init(&worker->requests, 1 << 20);
    timer_wheel_init(&worker->timers, worker->now_ms);
    kernel_open(worker);
    stage_open_table();
}

UNUSED static void stage_open(void)
{
    stage_open_with(recorders);
}

/* End of a turn: what is to be sent goes to the kernel. */
UNUSED static void stage_turn(void)
{
    engine_on_work(&stage.table);
    engine_on_turn_end(&stage.table);
    recv_pool_flush(&stage.worker.recv_pool);
    kernel_take();
}

UNUSED static void stage_pass_ms(uint64_t ms)
{
    stage.worker.now_ms += ms;
    timer_wheel_advance(&stage.worker.timers, stage.worker.now_ms);
    stage.worker.timers_ran_ms = stage.worker.now_ms;
    stage_turn();
}

/* A connected pair on the loopback interface. */
UNUSED static void tcp_pair(int *ret_ours, int *ret_peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(listening >= 0);
    CHECK(bind(listening, (const struct sockaddr *)&address, len) == 0);
    CHECK(listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&address, &len) == 0);
    *ret_peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*ret_peer >= 0);
    CHECK(connect(*ret_peer, (const struct sockaddr *)&address, len) == 0);
    *ret_ours = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    CHECK(*ret_ours >= 0);
    close(listening);
}

UNUSED static struct conn *stage_newest(void)
{
    CHECK(!list_empty(&stage.table.open));
    return container_of(stage.table.open.prev, struct conn, open_node);
}

/* As after an accept. */
UNUSED static struct conn *stage_connect(enum listener_role role)
{
    int ours, peer;

    tcp_pair(&ours, &peer);
    conn_open(&stage.table, ours, role);
    struct conn *conn = stage_newest();

    CHECK(conn->fd == ours);
    close(stage.peers[conn - stage.conns]); /* -1, or of an earlier connection in this place */
    stage.peers[conn - stage.conns] = peer;
    kernel_take();
    return conn;
}

UNUSED static int stage_peer(const struct conn *conn)
{
    return stage.peers[conn - stage.conns];
}

/* One that is sent as it is, without a frame. */
UNUSED static struct message *stage_message(const void *data, size_t len)
{
    struct message *message = message_create(&stage.worker, len);

    cr_assert_not_null(message);
    message->class = MESSAGE_UNFRAMED;
    memcpy(message->payload, data, len);
    message->payload_len = (uint32_t)len;
    return message;
}

UNUSED static void stage_send(struct conn *conn, const char *text)
{
    cr_assert(conn_send(conn, stage_message(text, strlen(text))));
}

/* The receive that the kernel holds. */
UNUSED static const struct held *kernel_recv(void)
{
    const struct held *held = kernel_find(IORING_OP_RECV);

    CHECK(held != NULL);
    return held;
}

/* The send that the kernel holds, or NULL. */
UNUSED static struct held *kernel_send(void)
{
    struct held *send = kernel_find(IORING_OP_SEND);

    return send != NULL ? send : kernel_find(IORING_OP_SENDMSG);
}

/* The bytes of a send in one piece. */
UNUSED static struct bytes held_bytes(const struct held *held)
{
    static uint8_t bytes[4 << 20];
    size_t len = 0;

    CHECK(held != NULL);
    for (unsigned i = 0; i < held->slices_count; i++) {
        cr_assert_leq(len + held->slices[i].iov_len, sizeof bytes);
        memcpy(bytes + len, held->slices[i].iov_base, held->slices[i].iov_len);
        len += held->slices[i].iov_len;
    }
    return bytes_of(bytes, len);
}

#define expect_bytes(bytes, text) cr_assert(bytes_equal_text(bytes, text))

/* Everything the kernel still holds of a connection that was closed comes back, as cancelled. */
UNUSED static void kernel_finish_close(void)
{
    struct held *cancel;
    struct held *closing;

    kernel_take();
    while ((cancel = kernel_find(IORING_OP_ASYNC_CANCEL)) != NULL) {
        struct held *target = kernel_find_target(cancel->target);

        if (target != NULL) {
            kernel_complete(target, -ECANCELED, 0);
            cancel = kernel_find(IORING_OP_ASYNC_CANCEL);
        }
        kernel_complete(cancel, target == NULL ? -ENOENT : 0, 0);
    }
    while ((closing = kernel_find(IORING_OP_CLOSE)) != NULL) {
        CHECK(close(closing->fd) == 0);
        kernel_complete(closing, 0, 0);
    }
}

UNUSED static void stage_close_connections(void)
{
    list_for_each(node, &stage.table.open)
    {
        conn_close_now(container_of(node, struct conn, open_node), CLOSE_DRAIN);
    }
    kernel_finish_close();
    CHECK(stage.table.open_count == 0);
}

/* With all that was lent out back in its place, or it aborts. */
UNUSED static void stage_close(void)
{
    stage_close_connections();
    for (unsigned i = 0; i < STAGE_CONNS; i++) {
        close(stage.peers[i]);
    }
    ring_close(&stage.worker.ring);
    recv_pool_deinit(&stage.worker.recv_pool);
    block_pool_deinit(&stage.worker.blocks);
    block_pool_deinit(&stage.worker.requests);
    topic_registry_deinit(&stage.topics);
}

/* Not even the reserve has memory for messages, nor is there any for requests. */
UNUSED static void stage_use_up_memory(void)
{
    struct block_pool *blocks = &stage.worker.blocks;

    block_pool_trim(blocks, 0);
    blocks->bytes_reserved = 0;
    blocks->bytes_max = blocks->bytes_held;
    block_pool_trim(&stage.worker.requests, 0);
    stage.worker.requests.bytes_max = stage.worker.requests.bytes_held;
}
