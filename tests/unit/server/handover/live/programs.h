/* Two programs in one: each has workers over the real kernel that the test turns, topics, bookings
 * and places of its own, and what is live moves from one to the other as bytes and descriptors.
 * Peers are the other ends of TCP connections; they send frames and keep what they hear. One
 * thread. */
#pragma once

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/conn/tls/transport_records.h"
#include "server/handover/live/live_part.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/hub/stream_cache.h"
#include "server/tls/record/tls_records.h"
#include "server/websocket/phase_websocket.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum {
    PROGRAMS = 2,
    PROGRAM_WORKERS = 2, /* of each, at most */
    PROGRAM_CONNS = 64,
    PROGRAM_NOW_MS = 100000000,
    PROGRAM_DEADLINE_MS = 60000,
    PROGRAM_MEMORY = 256 << 20,
};

struct program {
    struct server_config config;
    struct conn_shared shared;
    struct topic_registry topics;
    struct worker_group group;
    struct worker workers[PROGRAM_WORKERS];
    struct conn_table tables[PROGRAM_WORKERS];
};

static struct program programs[PROGRAMS];

static const struct phase_ops *const program_phases[PHASE_COUNT] = {
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

#define program_counted(program, index, name)                                                      \
    atomic_load_explicit(&(program)->workers[index].counters.name, memory_order_relaxed)

static inline void program_open_worker(struct program *program, unsigned index)
{
    struct worker *worker = &program->workers[index];

    *worker = (struct worker){.index = index,
                              .group = &program->group,
                              .context = &program->tables[index],
                              .now_ms = PROGRAM_NOW_MS,
                              .looked_ms = PROGRAM_NOW_MS};
    CHECK(ring_open(&worker->ring, 256, 1024) == 0);
    atomic_store(&worker->ring_fd, worker->ring.uring.ring_fd);
    CHECK(recv_pool_init(&worker->recv_pool, &worker->ring) == 0);
    block_pool_init(&worker->blocks, PROGRAM_MEMORY);
    block_pool_reserve(&worker->blocks, PROGRAM_MEMORY / 16);
    block_pool_init(&worker->requests, 16 << 20);
    timer_wheel_init(&worker->timers, PROGRAM_NOW_MS);
    CHECK(engine_init(&program->tables[index], worker, &program->shared, NULL, 0, false) == 0);
}

UNUSED static void program_open(struct program *program, unsigned workers_count)
{
    struct access_context *access = &program->shared.access;

    memset(program, 0, sizeof *program);
    program->config = (struct server_config){.handshake_timeout_ms = 10000,
                                             .write_timeout_ms = 10000,
                                             .ping_interval_ms = 25000,
                                             .stats_every_ms = 5000,
                                             .text_utf8 = CONFIG_TEXT_UTF8_CHECK};
    topic_registry_init(&program->topics, workers_count);
    program->topics.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = 1 << 24, .time_ms_max = 10000};
    program->group =
        (struct worker_group){.workers = program->workers, .workers_count = workers_count};
    program->shared = (struct conn_shared){.phases = program_phases,
                                           .connections_max = PROGRAM_CONNS,
                                           .config = &program->config,
                                           .topics = &program->topics,
                                           .bounds = {.messages_max = 4096, .bytes_max = 64 << 20}};
    access->url = "ws://x";
    access->audience = "http://x";
    access->cors_origins = "";
    access->codes = code_store_create(256, 30000);
    access->bookings = bookings_create(256, access->codes);
    access->places = places_create(4096);
    CHECK(access->codes != NULL && access->bookings != NULL && access->places != NULL);
    for (unsigned i = 0; i < workers_count; i++) {
        program_open_worker(program, i);
    }
}

static inline void program_take_letter(struct worker *worker, uint64_t letter)
{
    const struct conn_table *table = worker->context;

    CHECK((letter & OP_TAG_UNDELIVERED) == 0);
    if (letter_kind(letter) == LETTER_HOME) {
        worker_take_home(worker, letter_pointer(letter));
        return;
    }
    atomic_fetch_sub(&worker->letters_pending, 1);
    if (letter_kind(letter) == LETTER_PARCEL) {
        fanout_receive(worker, letter_pointer(letter), &table->shared->bounds);
    } else {
        struct call *call = letter_pointer(letter);

        call->run(worker, call);
    }
}

static inline void program_take(struct worker *worker, uint64_t user_data, int result,
                                uint32_t flags)
{
    if (letter_is(user_data)) {
        program_take_letter(worker, user_data);
        return;
    }
    struct op *op = op_pointer(user_data);

    CHECK(op->in_flight && op->generation == (uint16_t)(user_data >> OP_GENERATION_SHIFT));
    recv_pool_arrive(&worker->recv_pool, flags);
    op->in_flight = (flags & IORING_CQE_F_MORE) != 0;
    op->on_complete(op, result, flags);
}

/* As the loop does. */
static inline void program_turn_worker(struct program *program, unsigned index)
{
    struct worker *worker = &program->workers[index];
    struct io_uring_cqe *cqe;

    recv_pool_flush(&worker->recv_pool);
    ring_submit_and_wait(&worker->ring, 0);
    engine_on_work(&program->tables[index]);
    while (io_uring_peek_cqe(&worker->ring.uring, &cqe) == 0) {
        uint64_t user_data = io_uring_cqe_get_data64(cqe);
        int result = cqe->res;
        uint32_t flags = cqe->flags;

        io_uring_cqe_seen(&worker->ring.uring, cqe);
        program_take(worker, user_data, result, flags);
    }
    worker->whole_turns++;
    timer_wheel_advance(&worker->timers, worker->now_ms);
    fanout_flush(worker);
    engine_on_turn_end(&program->tables[index]);
    worker_post_homeward(worker);
    atomic_store(&worker->blocks_left, block_pool_left(&worker->blocks));
}

UNUSED static void program_turn(struct program *program)
{
    for (unsigned i = 0; i < program->group.workers_count; i++) {
        program_turn_worker(program, i);
    }
}

#define program_await(program, condition)                                                          \
    do {                                                                                           \
        uint64_t deadline_ms = clock_monotonic_ms() + PROGRAM_DEADLINE_MS;                         \
        while (!(condition)) {                                                                     \
            cr_assert_lt(clock_monotonic_ms(), deadline_ms, "waited for " #condition);             \
            program_turn(program);                                                                 \
        }                                                                                          \
    } while (0)

UNUSED static void program_pass_ms(struct program *program, uint64_t ms)
{
    for (unsigned i = 0; i < program->group.workers_count; i++) {
        program->workers[i].now_ms += ms;
        program->workers[i].looked_ms += ms;
    }
    program_turn(program);
}

static inline bool program_is_quiet(const struct program *program)
{
    uint64_t busy = 0;

    for (unsigned i = 0; i < program->group.workers_count; i++) {
        busy += program->tables[i].open_count + atomic_load(&program->workers[i].letters_pending) +
                program->workers[i].blocks.blocks_used;
    }
    return busy == 0;
}

/* With all that was lent out back in its place, or it aborts. */
UNUSED static void program_close(struct program *program)
{
    struct access_context *access = &program->shared.access;

    for (unsigned i = 0; i < program->group.workers_count; i++) {
        hold_end(&program->tables[i]);
        list_for_each(node, &program->tables[i].open)
        {
            conn_close_now(container_of(node, struct conn, open_node), CLOSE_DRAIN);
        }
        stream_cache_drop_all(&program->workers[i], &program->topics);
    }
    program_await(program, program_is_quiet(program));
    for (unsigned i = 0; i < program->group.workers_count; i++) {
        engine_deinit(&program->tables[i]);
        ring_close(&program->workers[i].ring);
        recv_pool_deinit(&program->workers[i].recv_pool);
        block_pool_deinit(&program->workers[i].blocks);
        block_pool_deinit(&program->workers[i].requests);
    }
    places_destroy(access->places);
    bookings_destroy(access->bookings);
    code_store_destroy(access->codes);
    topic_registry_deinit(&program->topics);
}

UNUSED static void programs_open(unsigned workers_count, unsigned workers_count_next)
{
    require_uring();
    program_open(&programs[0], workers_count);
    program_open(&programs[1], workers_count_next);
}

UNUSED static void programs_close(void)
{
    program_close(&programs[0]);
    program_close(&programs[1]);
}

/* Peers */

struct peer {
    int fd;
    uint8_t *heard; /* frames, without the answer to the upgrade */
    size_t heard_len, heard_size;
    size_t taken;                /* of them, by peer_next */
    struct tls_records *records; /* of its side; NULL: plain */
    uint8_t *sealed;             /* records that have come, from the one at opened on unopened */
    size_t sealed_len, sealed_size, opened;
    unsigned key_updates; /* of the relay */
};

static inline void peer_keep(uint8_t **bytes, size_t len, size_t *size)
{
    if (*size - len < 65536) {
        *size = *size * 2 + 65536;
        *bytes = realloc(*bytes, *size);
        CHECK(*bytes != NULL);
    }
}

/* All whole records that have come. */
static inline void peer_open(struct peer *peer)
{
    while (peer->sealed_len - peer->opened >= TLS_RECORD_HEADER) {
        uint8_t *record = peer->sealed + peer->opened, type;
        struct bytes payload;
        size_t len;

        cr_assert_eq(tls_opener_measure(record, &len), TLS_OPENED);
        if (peer->sealed_len - peer->opened < len) {
            return;
        }
        cr_assert_eq(tls_opener_open(&peer->records->opener, record, len, &type, &payload),
                     TLS_OPENED, "a record that the peer cannot open");
        peer->opened += len;
        if (type == TLS_CONTENT_HANDSHAKE) {
            cr_assert(tls_cipher_update(&peer->records->opener.cipher));
            peer->key_updates++;
            continue;
        }
        cr_assert_eq(type, TLS_CONTENT_DATA);
        peer_keep(&peer->heard, peer->heard_len, &peer->heard_size);
        memcpy(peer->heard + peer->heard_len, payload.data, payload.len);
        peer->heard_len += payload.len;
    }
}

/* Takes what has come. False: the connection has ended. */
static inline bool peer_listen(struct peer *peer)
{
    bool is_plain = peer->records == NULL;
    uint8_t **bytes = is_plain ? &peer->heard : &peer->sealed;
    size_t *held = is_plain ? &peer->heard_len : &peer->sealed_len;
    size_t *size = is_plain ? &peer->heard_size : &peer->sealed_size;
    ssize_t len = 1;

    while (len > 0) {
        peer_keep(bytes, *held, size);
        len = recv(peer->fd, *bytes + *held, *size - *held, MSG_DONTWAIT);
        *held += len > 0 ? (size_t)len : 0;
    }
    int error = errno;

    if (!is_plain) {
        peer_open(peer);
    }
    return len < 0 && error == EAGAIN;
}

/* The whole frame that has come next: opcode in *ret_opcode, payload; false: there is none yet. */
UNUSED static bool peer_next(struct peer *peer, unsigned *ret_opcode, struct bytes *ret_payload)
{
    const uint8_t *at = peer->heard + peer->taken;
    size_t left, len, head = 2;

    peer_listen(peer);
    at = peer->heard + peer->taken;
    left = peer->heard_len - peer->taken;
    if (left < 2) {
        return false;
    }
    len = at[1];
    if (len == 126 || len == 127) {
        unsigned extra = len == 126 ? 2 : 8;

        if (left < 2 + extra) {
            return false;
        }
        len = 0;
        for (unsigned i = 0; i < extra; i++) {
            len = len << 8 | at[2 + i];
        }
        head += extra;
    }
    if (left < head + len) {
        return false;
    }
    *ret_opcode = at[0] & 0x0f;
    *ret_payload = bytes_of(at + head, len);
    peer->taken += head + len;
    return true;
}

/* The frame that comes next is that text. */
#define peer_expect_text(program, peer, text)                                                      \
    do {                                                                                           \
        unsigned opcode;                                                                           \
        struct bytes payload;                                                                      \
        program_await(program, peer_next(peer, &opcode, &payload));                                \
        cr_assert_eq(opcode, WS_OPCODE_TEXT);                                                      \
        cr_assert(bytes_equal_text(payload, text), "%.*s", (int)payload.len,                       \
                  (const char *)payload.data);                                                     \
    } while (0)

UNUSED static void peer_send(struct peer *peer, struct bytes bytes)
{
    cr_assert_eq(send(peer->fd, bytes.data, bytes.len, MSG_NOSIGNAL), (ssize_t)bytes.len);
}

/* A masked frame, at target, which has 14 bytes more than the payload. Returns its length. */
UNUSED static size_t frame_of(uint8_t *target, unsigned first, const void *payload, size_t len)
{
    static const uint8_t mask[4] = {0x12, 0x34, 0x56, 0x78};
    unsigned extra = len < 126 ? 0 : len < 65536 ? 2 : 8;

    target[0] = (uint8_t)first;
    target[1] = (uint8_t)(0x80 | (extra == 0 ? len : extra == 2 ? 126u : 127u));
    for (unsigned i = 0; i < extra; i++) {
        target[2 + i] = (uint8_t)(len >> 8 * (extra - 1 - i));
    }
    memcpy(target + 2 + extra, mask, sizeof mask);
    for (size_t i = 0; i < len; i++) {
        target[6 + extra + i] = ((const uint8_t *)payload)[i] ^ mask[i % 4];
    }
    return 6 + extra + len;
}

enum { FRAME_FIN = 0x80 };

UNUSED static void peer_say(struct peer *peer, unsigned first, const char *text)
{
    uint8_t frame[1024];

    CHECK(strlen(text) < 1000);
    peer_send(peer, bytes_of(frame, frame_of(frame, first, text, strlen(text))));
}

static inline void program_tcp_pair(int *ret_ours, int *ret_peer)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    const int on = 1; /* what is said is there at once */
    int listening = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    CHECK(listening >= 0);
    CHECK(bind(listening, (const struct sockaddr *)&address, len) == 0);
    CHECK(listen(listening, 1) == 0);
    CHECK(getsockname(listening, (struct sockaddr *)&address, &len) == 0);
    *ret_peer = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);
    CHECK(*ret_peer >= 0);
    CHECK(connect(*ret_peer, (const struct sockaddr *)&address, len) == 0);
    CHECK(setsockopt(*ret_peer, IPPROTO_TCP, TCP_NODELAY, &on, sizeof on) == 0);
    *ret_ours = accept4(listening, NULL, NULL, SOCK_CLOEXEC);
    CHECK(*ret_ours >= 0);
    close(listening);
}

/* The newest connection of that worker. */
UNUSED static struct conn *program_newest(struct program *program, unsigned index)
{
    CHECK(!list_empty(&program->tables[index].open));
    return container_of(program->tables[index].open.prev, struct conn, open_node);
}

static inline void peer_skip_answer(struct program *program, struct peer *peer)
{
    const uint8_t *end;

    program_await(program, (peer_listen(peer),
                            (end = memmem(peer->heard, peer->heard_len, "\r\n\r\n", 4)) != NULL));
    CHECK(memcmp(peer->heard, "HTTP/1.1 101 ", 13) == 0);
    peer->taken = (size_t)(end - peer->heard) + 4;
}

struct wish {
    const char *topic, *booking_id, *fields, *query;
    bool can_read, can_write;
};

UNUSED static struct conn *program_join_as(struct program *program, unsigned index,
                                           struct wish wish, struct peer *ret_peer)
{
    struct permission permission = {.exp_s = clock_wall_s() + 3600,
                                    .scopes_json = "[\"read\"]",
                                    .can_read = wish.can_read,
                                    .can_write = wish.can_write,
                                    .is_session = true};
    char code[CODE_SIZE], request[1024];
    int ours;

    *ret_peer = (struct peer){0};
    program_tcp_pair(&ours, &ret_peer->fd);
    snprintf(permission.topic, sizeof permission.topic, "%s", wish.topic);
    snprintf(permission.booking_id, sizeof permission.booking_id, "%s", wish.booking_id);
    CHECK(code_store_put(program->shared.access.codes, &permission, program->workers[0].now_ms,
                         code) == 0);
    conn_open(&program->tables[index], ours, LISTENER_RELAY);
    struct conn *conn = program_newest(program, index);

    snprintf(request, sizeof request,
             "GET /session/%s?code=%s%s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
             "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\nUser-Agent: ua/1\r\n"
             "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n%s\r\n",
             wish.topic, code, wish.query == NULL ? "" : wish.query,
             wish.fields == NULL ? "" : wish.fields);
    peer_send(ret_peer, bytes_of_text(request));
    peer_skip_answer(program, ret_peer);
    CHECK(conn->phase == PHASE_WEBSOCKET);
    return conn;
}

UNUSED static struct conn *program_join(struct program *program, unsigned index, const char *topic,
                                        bool can_read, bool can_write, struct peer *ret_peer)
{
    return program_join_as(
        program, index,
        (struct wish){
            .topic = topic, .booking_id = "b0", .can_read = can_read, .can_write = can_write},
        ret_peer);
}

UNUSED static void peer_close(struct peer *peer)
{
    close(peer->fd);
    free(peer->heard);
    free(peer->sealed);
    tls_records_destroy(peer->records);
}

/* As if they had made a handshake before. */
UNUSED static void peer_secure(struct peer *peer, struct conn *conn, enum tls_suite suite)
{
    struct tls_secrets secrets = {.client_len = tls_suite_secret_bytes(suite),
                                  .server_len = tls_suite_secret_bytes(suite)};
    struct tls_secrets mirrored = secrets;

    memset(secrets.client, 0xc1, secrets.client_len);
    memset(secrets.server, 0x5e, secrets.server_len);
    memcpy(mirrored.client, secrets.server, sizeof mirrored.client);
    memcpy(mirrored.server, secrets.client, sizeof mirrored.server);
    conn->tls.records = tls_records_create(suite, &secrets, 0);
    peer->records = tls_records_create(suite, &mirrored, 0);
    CHECK(conn->tls.records != NULL && peer->records != NULL);
    conn->transport = &transport_records;
}

/* As records, at target, which has room for them. Returns their length. */
UNUSED static size_t peer_seal(struct peer *peer, struct bytes bytes, uint8_t *target)
{
    const struct iovec slice = {.iov_base = (void *)(uintptr_t)bytes.data, .iov_len = bytes.len};
    struct tls_plain plain = {.slices = &slice, .len = bytes.len};
    size_t used = 0;

    while (plain.len > 0) {
        size_t len =
            tls_sealer_seal(&peer->records->sealer, TLS_CONTENT_DATA, &plain, target + used);

        cr_assert_gt(len, 0);
        used += len;
    }
    return used;
}

/* The way from one program to the other */

struct moved {
    uint8_t *bytes;
    size_t len, size;
    int *fds; /* duplicates, as another program gets them */
    size_t fds_count;
};

static unsigned frozen_count;

static inline void on_frozen(struct conn_table *table)
{
    frozen_count++;
}

UNUSED static void program_freeze(struct program *program)
{
    frozen_count = 0;
    for (unsigned i = 0; i < program->group.workers_count; i++) {
        live_part_freeze(&program->tables[i], on_frozen);
    }
    program_await(program, frozen_count == program->group.workers_count);
}

UNUSED static void program_thaw(struct program *program)
{
    for (unsigned i = 0; i < program->group.workers_count; i++) {
        live_part_thaw(&program->tables[i]);
    }
}

UNUSED static struct moved program_write(struct program *program, unsigned index)
{
    struct conn_table *table = &program->tables[index];
    struct moved part = {.size = live_part_size(table), .fds_count = live_part_fds(table)};
    struct handover_writer writer;

    part.bytes = malloc(part.size);
    part.fds = calloc(part.fds_count + 1, sizeof(int));
    CHECK(part.bytes != NULL && part.fds != NULL);
    handover_writer_init(&writer, part.bytes, part.size);
    cr_assert(live_part_write(table, &writer, part.fds));
    part.len = writer.len;
    for (size_t i = 0; i < part.fds_count; i++) {
        part.fds[i] = dup(part.fds[i]);
        CHECK(part.fds[i] >= 0);
    }
    return part;
}

UNUSED static void moved_free(struct moved *part)
{
    free(part->bytes);
    free(part->fds);
}

UNUSED static bool program_read(struct program *program, unsigned index, struct moved *part,
                                char *error, size_t error_size)
{
    struct live_fds fds = {.fds = part->fds, .count = part->fds_count};

    return live_part_read(&program->tables[index], bytes_of(part->bytes, part->len), fds, error,
                          error_size);
}

/* The part of one connection, again and again with up to three bytes that are others: whether it is
 * read or refused, nothing of it stays. */
UNUSED static void program_read_damaged(struct program *program, const struct moved *whole)
{
    uint32_t seed = 1;

    for (unsigned i = 0; i < 3000; i++) {
        struct moved part = {.bytes = malloc(whole->len), .len = whole->len, .fds_count = 1};
        int fd = dup(whole->fds[0]);
        char error[256] = "";

        memcpy(part.bytes, whole->bytes, whole->len);
        for (unsigned change = 0; change < 1 + i % 3; change++) {
            seed = seed * 1664525u + 1013904223u;
            part.bytes[seed % whole->len] = (uint8_t)(seed >> 24);
        }
        part.fds = &fd;
        (void)!program_read(program, 0, &part, error, sizeof error);
        live_part_drop(&program->tables[0]);
        cr_assert_eq(program->workers[0].blocks.blocks_used, 0);
        free(part.bytes);
    }
}

/* Everything that may move does. */
UNUSED static void programs_move(struct program *from, struct program *to)
{
    program_freeze(from);
    for (unsigned i = 0; i < from->group.workers_count; i++) {
        struct moved part = program_write(from, i);
        char error[256] = "";

        cr_assert(program_read(to, i % to->group.workers_count, &part, error, sizeof error), "%s",
                  error);
        moved_free(&part);
    }
    for (unsigned i = 0; i < to->group.workers_count; i++) {
        live_part_start(&to->tables[i]);
    }
    for (unsigned i = 0; i < from->group.workers_count; i++) {
        live_part_let_go(&from->tables[i]);
    }
}
