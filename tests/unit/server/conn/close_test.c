/* Goal: a connection can be closed at every step of its life, on every transport, for every reason,
 * and is gone in the end with all its memory: no peer and no timer reaches a CHECK.
 * Method: a script (handshake, upgrade, messages both ways, key change, Close) is played against a
 * kernel of the test's own (fake_kernel.h), first undisturbed to count its events, then once for
 * each event and each way of closing, with the close in front of that event. What the kernel still
 * holds then is cancelled, or completes after all and too late. */
#include <netinet/in.h>
#include <openssl/ssl.h>
#include <sys/socket.h>

#include "base/clock.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/conn/send.h"
#include "server/conn/tls/phase_tls.h"
#include "server/conn/tls/transport_kernel.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/tls/tls_slot.h"
#include "server/websocket/phase_websocket.h"
#include "tests/unit/server/conn/fake_kernel.h"
#include "tests/unit/server/loop/uring_fixture.h"
#include "tests/unit/server/tls/tls_fixture.h"

enum {
    EVENTS_MAX = 400,
    IDLE_STEPS_MAX = 60,
    IDLE_STEP_MS = 2500,
    PUBLISHED_BYTES = 60000,
    PUBLISHED_COUNT = 3,
    INPUT_BYTES_MAX = 8192,
};

enum link {
    LINK_PLAIN,
    LINK_USER_TLS_1_3,
    LINK_USER_TLS_1_2,
    LINK_KERNEL_TLS,
    LINK_KERNEL_TLS_FULL, /* the last records wait for room in TCP's send buffer */
    LINK_KERNEL_TLS_REKEY_REFUSED,
    LINK_KERNEL_TLS_REKEY_ANSWERED, /* with a KeyUpdate of ours, after which the kernel fails */
};

/* The steps of the peer, in order. */
enum step { STEP_HANDSHAKE, STEP_UPGRADE, STEP_TALK, STEP_REKEY, STEP_CLOSE, STEP_END };

/* How the kernel treats what it holds. */
struct manners {
    bool short_sends; /* a send takes half */
    bool late;        /* a cancel comes too late: its target completes after the close */
    bool silent_peer; /* from the close on */
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
    struct worker worker;
    struct conn_table table;
    struct tls_slot slot;
    struct tls_context *context;
    struct pair_files files;
    struct client client;
    struct manners manners;
    enum link link;
    enum step step;
    struct conn *conn;
    uint64_t progress; /* events until now */
    bool published, is_silent, is_full_no_more;
    char target[128];
} play;

bool __wrap_ktls_is_passed_on(int fd);

bool __wrap_ktls_is_passed_on(int fd)
{
    cr_assert_eq(fd, play.conn->fd);
    return play.link != LINK_KERNEL_TLS_FULL || play.is_full_no_more;
}

static bool has_tls_session(void)
{
    return play.link == LINK_USER_TLS_1_2 || play.link == LINK_USER_TLS_1_3;
}

static bool has_kernel_tls(void)
{
    return play.link >= LINK_KERNEL_TLS;
}

/* The scene */

static void open_shared(void)
{
    struct conn_shared *shared = &play.shared;

    play.config = (struct server_config){.handshake_timeout_ms = 10000,
                                         .write_timeout_ms = 10000,
                                         .ping_interval_ms = 25000,
                                         .stats_every_ms = 5000};
    topic_registry_init(&play.topics, 1);
    *shared = (struct conn_shared){.phases = phases,
                                   .config = &play.config,
                                   .topics = &play.topics,
                                   .bounds = {.messages_max = 256, .bytes_max = 1 << 24}};
    shared->access.url = "ws://x";
    shared->access.audience = "http://x";
    shared->access.subprotocols = ACCESS_SUBPROTOCOLS_NULL;
    shared->connections_max = 4;
    shared->access.codes = code_store_create(4, 30000);
    shared->access.places = places_create(4);
    shared->access.bookings = bookings_create(16, shared->access.codes);
    shared->stats_topic = topic_find_or_create(&play.topics, STATS_TOPIC);
    if (has_tls_session()) {
        tls_slot_init(&play.slot, tls_context_ref(play.context));
        shared->tls = &play.slot;
    }
}

static void open_worker(void)
{
    struct worker *worker = &play.worker;

    play.group = (struct worker_group){.workers = worker, .workers_count = 1};
    *worker = (struct worker){
        .group = &play.group, .context = &play.table, .now_ms = 100000000, .ring_fd = -1};
    worker->timers_ran_ms = worker->now_ms;
    cr_assert_eq(ring_open(&worker->ring, 64, 64), 0);
    cr_assert_eq(recv_pool_init(&worker->recv_pool, &worker->ring), 0);
    block_pool_init(&worker->blocks, 64 << 20);
    block_pool_reserve(&worker->blocks, 4 << 20);
    block_pool_init(&worker->requests, 1 << 20);
    timer_wheel_init(&worker->timers, worker->now_ms);
    kernel_open(worker);
}

static void open_table(void)
{
    struct conn_table *table = &play.table;
    static struct conn conns[4];
    static uint32_t free_places[4];

    memset(conns, 0, sizeof conns);
    conn_table_init(table, &play.worker, &play.shared);
    table->conns = conns;
    table->places = (struct slab){.memory = (uint8_t *)conns,
                                  .place_bytes = sizeof(struct conn),
                                  .places_max = 4,
                                  .free = free_places};
    timer_init(&table->accept_retry, listener_on_retry);
    timer_init(&table->report_timer, listener_on_retry);
    table->plaintext = malloc(TLS_RECORD_PAYLOAD_MAX);
    cr_assert_not_null(table->plaintext);
}

static void make_target(void)
{
    struct permission permission = {.topic = "t0",
                                    .booking_id = "b0",
                                    .exp_s = clock_wall_s() + 3600,
                                    .scopes_json = "[]",
                                    .can_read = true,
                                    .can_write = true,
                                    .is_session = true};
    char code[CODE_SIZE];

    cr_assert_eq(code_store_put(play.shared.access.codes, &permission, play.worker.now_ms, code),
                 0);
    snprintf(play.target, sizeof play.target, "/session/t0?code=%s", code);
}

static void open_connection(void)
{
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_geq(fd, 0);
    conn_open(&play.table, fd, LISTENER_RELAY);
    play.conn = &play.table.conns[0];
    cr_assert_eq(play.conn->fd, fd);
    if (has_kernel_tls()) {
        /* As after the handshake, with keys that the kernel of the machine does not have. */
        play.conn->transport = &transport_kernel;
        play.conn->tls.rekey = block_pool_take(&play.worker.blocks, sizeof *play.conn->tls.rekey);
        *play.conn->tls.rekey = (struct rekey){0};
    }
    kernel_take();
}

static void open_scene(enum link link, struct manners manners)
{
    play.link = link;
    play.manners = manners;
    play.step = has_tls_session() ? STEP_HANDSHAKE : STEP_UPGRADE;
    play.progress = 0;
    play.published = false;
    play.is_silent = false;
    play.is_full_no_more = false;
    open_shared();
    open_worker();
    open_table();
    make_target();
    if (has_tls_session()) {
        client_init(&play.client, link == LINK_USER_TLS_1_2 ? TLS1_2_VERSION : TLS1_3_VERSION,
                    NULL);
    }
    open_connection();
}

static void close_scene(void)
{
    cr_assert_eq(play.table.open_count, 0);
    if (has_tls_session()) {
        client_deinit(&play.client);
        tls_slot_deinit(&play.slot);
    }
    topic_unref(play.shared.stats_topic);
    topic_registry_deinit(&play.topics);
    bookings_destroy(play.shared.access.bookings);
    code_store_destroy(play.shared.access.codes);
    places_destroy(play.shared.access.places);
    free(play.table.plaintext);
    ring_close(&play.worker.ring);
    recv_pool_deinit(&play.worker.recv_pool);
    block_pool_deinit(&play.worker.blocks); /* all came home, or this aborts */
    block_pool_deinit(&play.worker.requests);
}

/* The peer */

static size_t frame_write(uint8_t *frame, enum ws_opcode opcode, const char *payload)
{
    size_t len = strlen(payload);

    frame[0] = (uint8_t)(0x80 | opcode);
    frame[1] = (uint8_t)(0x80 | len);
    memset(frame + 2, 0, 4); /* a mask of zeros changes nothing */
    memcpy(frame + 6, payload, len);
    return 6 + len;
}

/* Writes the application bytes of the peer's present step. Returns how many. */
static size_t say(uint8_t *said)
{
    size_t len = 0;

    switch (play.step) {
    case STEP_UPGRADE:
        len = (size_t)snprintf((char *)said, INPUT_BYTES_MAX,
                               "GET %s HTTP/1.1\r\nHost: x\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
                               play.target);
        break;
    case STEP_TALK:
        len = frame_write(said, WS_OPCODE_TEXT, "hello");
        len += frame_write(said + len, WS_OPCODE_PING, "are you there");
        memcpy(said + len, "\x01\x85\0\0\0\0par", 9); /* a fragment that is never completed */
        len += 9;
        break;
    case STEP_CLOSE:
        memcpy(said, "ts", 2); /* the rest of that frame */
        len = 2 + frame_write(said + 2, WS_OPCODE_CLOSE, "\x03\xe8");
        break;
    case STEP_HANDSHAKE:
    case STEP_REKEY:
    case STEP_END:
        break;
    }
    return len;
}

static size_t client_output(uint8_t *input, size_t size)
{
    int len = BIO_read(play.client.output, input, (int)size);

    return len > 0 ? (size_t)len : 0;
}

/* Bytes on the wire from a peer with TLS. */
static size_t hear_tls(uint8_t *input, size_t size)
{
    uint8_t said[INPUT_BYTES_MAX];
    size_t len = client_output(input, size);

    if (len > 0) {
        return len;
    }
    if (play.step == STEP_HANDSHAKE) {
        if (SSL_do_handshake(play.client.ssl) != 1) {
            return client_output(input, size);
        }
        play.step = STEP_UPGRADE;
        len = client_output(input, size);
        if (len > 0) {
            return len;
        }
    }
    if (play.step == STEP_REKEY && play.link == LINK_USER_TLS_1_3) {
        SSL_key_update(play.client.ssl, SSL_KEY_UPDATE_REQUESTED);
        SSL_do_handshake(play.client.ssl);
    } else if (play.step < STEP_END && (len = say(said)) > 0) {
        cr_assert_eq(SSL_write(play.client.ssl, said, (int)len), (int)len);
    }
    play.step += play.step < STEP_END;
    return client_output(input, size);
}

/* 0: the peer has nothing to say now. */
static size_t hear(uint8_t *input, size_t size)
{
    if (play.is_silent) {
        return 0;
    }
    if (has_tls_session()) {
        return hear_tls(input, size);
    }
    size_t len = say(input);

    play.step += play.step < STEP_END;
    return len;
}

/* Gives the peer the first len bytes of a send. */
static void deliver(const struct held *send, size_t len)
{
    for (unsigned i = 0; has_tls_session() && i < send->slices_count && len > 0; i++) {
        size_t take = send->slices[i].iov_len < len ? send->slices[i].iov_len : len;

        BIO_write(play.client.input, send->slices[i].iov_base, (int)take);
        len -= take;
    }
    if (has_tls_session() && SSL_is_init_finished(play.client.ssl)) {
        char ignored[16384];

        while (SSL_read(play.client.ssl, ignored, sizeof ignored) > 0) {
        }
    }
}

/* The kernel's events. Each returns false when there is nothing of its kind. */

static bool complete_send(void)
{
    struct held *send = kernel_find(IORING_OP_SEND);

    send = send == NULL ? kernel_find(IORING_OP_SENDMSG) : send;
    if (send == NULL) {
        return false;
    }
    size_t len = play.manners.short_sends && send->len > 2 ? send->len / 2 : send->len;

    deliver(send, len);
    kernel_complete(send, (int)len, 0);
    return true;
}

static void cancel_target(struct held *cancel)
{
    struct held *target = kernel_find_target(cancel->target);

    if (play.manners.late && target != NULL) {
        kernel_complete(cancel, -EALREADY, 0);
        return;
    }
    if (target != NULL) {
        kernel_complete(target, -ECANCELED, 0);
        cancel = kernel_find(IORING_OP_ASYNC_CANCEL);
    }
    kernel_complete(cancel, target == NULL ? -ENOENT : 0, 0);
}

static bool complete_close(void)
{
    struct held *cancel = kernel_find(IORING_OP_ASYNC_CANCEL);
    struct held *done = kernel_find(IORING_OP_CLOSE);

    if (cancel != NULL) {
        cancel_target(cancel);
        return true;
    }
    if (done == NULL) {
        return false;
    }
    cr_assert_eq(close(done->fd), 0);
    kernel_complete(done, 0, 0);
    return true;
}

/* The kernel names a control record's type beside its bytes. */
static void receive_key_update(struct held *held)
{
    struct msghdr *header = held->memory;
    struct cmsghdr *control = CMSG_FIRSTHDR(header);

    CHECK(control != NULL);
    control->cmsg_level = 282; /* SOL_TLS */
    control->cmsg_type = 2;    /* TLS_GET_RECORD_TYPE */
    control->cmsg_len = CMSG_LEN(1);
    *CMSG_DATA(control) = TLS_CONTENT_HANDSHAKE;
    memcpy(header->msg_iov->iov_base, "\x18\0\0\1\1", 5);
    kernel_complete(held, 5, 0);
}

static bool complete_receive(void)
{
    uint8_t input[INPUT_BYTES_MAX];
    struct held *held = kernel_find(IORING_OP_POLL_ADD);

    if (held != NULL && !play.is_silent) {
        kernel_complete(held, 1, 0);
        return true;
    }
    held = kernel_find(IORING_OP_RECVMSG);
    if (held != NULL && !play.is_silent) {
        receive_key_update(held);
        return true;
    }
    held = kernel_find(IORING_OP_RECV);
    if (held == NULL || play.is_silent) {
        return false;
    }
    if (play.link == LINK_KERNEL_TLS_REKEY_REFUSED && play.step == STEP_REKEY) {
        play.step = STEP_CLOSE;
        kernel_complete(held, -EIO, 0);
        return true;
    }
    if (play.link == LINK_KERNEL_TLS_REKEY_ANSWERED && play.step == STEP_REKEY) {
        play.step = STEP_CLOSE;
        play.conn->tls.rekey->answer_wanted = true;
        conn_send_wake(play.conn);
        return true;
    }
    size_t len = hear(input, held->buffered ? sizeof input : held->len);

    if (len == 0) {
        return false;
    }
    if (held->buffered) {
        kernel_receive(held, bytes_of(input, len));
    } else {
        memcpy(held->memory, input, len);
        kernel_complete(held, (int)len, 0);
    }
    return true;
}

/* The peer's FIN, when it has nothing more to say. */
static bool complete_end(void)
{
    struct held *held = kernel_find(IORING_OP_RECV);

    if (held == NULL || play.step != STEP_END || play.is_silent) {
        return false;
    }
    kernel_complete(held, 0, 0);
    return true;
}

/* Completes an operation that was cancelled too late. */
static bool complete_late(void)
{
    struct held *held = kernel.held_count > 0 ? &kernel.held[0] : NULL;

    if (held == NULL || !play.conn->close_submitted || play.conn->close_op.in_flight) {
        return false;
    }
    if (is_send(held)) {
        kernel_complete(held, (int)(held->len + 1) / 2, 0);
    } else if (held->opcode == IORING_OP_RECV && held->buffered) {
        bool more = held->multishot;

        kernel_receive(held, bytes_of_text("late"));
        if (more) {
            kernel_complete(kernel_find(IORING_OP_RECV), 0, 0);
        }
    } else {
        kernel_complete(held, -ECANCELED, 0);
    }
    return true;
}

static bool publish(void)
{
    if (play.published || play.conn->phase != PHASE_WEBSOCKET || play.step <= STEP_TALK) {
        return false;
    }
    for (unsigned i = 0; i < PUBLISHED_COUNT; i++) {
        struct message *message = message_create(&play.worker, PUBLISHED_BYTES);

        if (message == NULL) {
            break; /* the way of closing took the memory */
        }
        message->payload_len = PUBLISHED_BYTES;
        memset(message->payload, 'x', PUBLISHED_BYTES);
        message->received_ms = play.worker.now_ms;
        message_frame(message, WS_OPCODE_BINARY);
        fanout_publish(&play.worker, phase_websocket_of(play.conn)->topic, message, NULL,
                       &play.shared.bounds);
    }
    play.published = true;
    return true;
}

static void end_turn(void)
{
    engine_on_work(&play.table);
    engine_on_turn_end(&play.table);
    recv_pool_flush(&play.worker.recv_pool);
    kernel_take();
}

/* One event; false when only time can bring another. */
static bool happen(void)
{
    bool happened = publish() || complete_close() || complete_late() || complete_receive() ||
                    complete_send() || complete_end();

    end_turn();
    play.progress += happened;
    return happened;
}

static void pass_time(uint64_t ms)
{
    play.worker.now_ms += ms;
    timer_wheel_advance(&play.worker.timers, play.worker.now_ms);
    play.worker.timers_ran_ms = play.worker.now_ms;
    end_turn();
}

static bool is_open(void)
{
    return play.table.open_count > 0;
}

static void run_to_end(const char *what)
{
    unsigned idle = 0;

    for (unsigned events = 0; is_open(); events++) {
        cr_assert_lt(events, EVENTS_MAX, "%s: no end", what);
        if (!happen()) {
            cr_assert_lt(idle, IDLE_STEPS_MAX, "%s: stuck", what);
            idle++;
            pass_time(IDLE_STEP_MS);
        }
    }
}

/* The ways of closing */

static void by_now(struct conn *conn, unsigned reason)
{
    conn_close_now(conn, (enum close_reason)reason);
}

static void by_begin(struct conn *conn, unsigned reason)
{
    conn_close_begin(conn, (enum close_reason)reason);
}

static void by_idle(struct conn *conn, unsigned reason)
{
    conn_close_idle(conn, (enum close_reason)reason);
}

static void by_websocket(struct conn *conn, unsigned reason)
{
    if (conn->phase == PHASE_WEBSOCKET) {
        struct message *last = message_create_control(conn->worker, WS_OPCODE_CLOSE,
                                                      bytes_of_text("\x03\xe9the test says so"));

        conn_close_saying(conn, (enum close_reason)reason, last, NULL);
    }
}

static void by_twice(struct conn *conn, unsigned reason)
{
    by_websocket(conn, reason);
    conn_close_begin(conn, (enum close_reason)reason);
    conn_close_now(conn, CLOSE_IO_ERROR);
}

static void by_stop(struct conn *conn, unsigned ignored)
{
    play.worker.stopping = true;
    engine_stop(&play.table);
}

/* Every timer of the connection: handshake, liveness, expiry, a write that stalls. */
static void by_time(struct conn *conn, unsigned seconds)
{
    pass_time(seconds * 1000);
}

static void by_receive(struct conn *conn, unsigned error)
{
    struct held *held = kernel_find(IORING_OP_RECV);

    if (held != NULL) {
        kernel_complete(held, -(int)error, 0);
    }
}

static void by_send(struct conn *conn, unsigned error)
{
    struct held *held = kernel_find(IORING_OP_SEND);

    held = held == NULL ? kernel_find(IORING_OP_SENDMSG) : held;
    if (held != NULL) {
        kernel_complete(held, -(int)error, 0);
    }
}

static void by_garbage(struct conn *conn, unsigned ignored)
{
    static const char garbage[] = "\x17\x03\x03\x00\x20garbage instead of a record or frame";
    struct held *held = kernel_find(IORING_OP_RECV);

    if (held != NULL && held->buffered) {
        kernel_receive(held, bytes_of(garbage, sizeof garbage - 1));
    } else if (held != NULL) {
        size_t len = held->len < 5 ? held->len : 5;

        memcpy(held->memory, garbage, len);
        kernel_complete(held, (int)len, 0);
    }
}

/* But for one ping, which finds out that the peer is gone. */
static void by_no_memory(struct conn *conn, unsigned ignored)
{
    play.worker.blocks.bytes_reserved = 0;
    play.worker.blocks.bytes_max = play.worker.blocks.bytes_held + 512;
    play.worker.requests.bytes_max = play.worker.requests.bytes_held;
}

static const struct way {
    const char *name;
    void (*close)(struct conn *conn, unsigned argument);
    unsigned first, last; /* arguments, each in turn */
} ways[] = {
    {"now", by_now, 0, CLOSE_REASON_COUNT - 1},
    {"begin", by_begin, 0, CLOSE_REASON_COUNT - 1},
    {"idle", by_idle, CLOSE_HTTP_DONE, CLOSE_HTTP_DONE},
    {"idle", by_idle, CLOSE_HANDSHAKE_TIMEOUT, CLOSE_HANDSHAKE_TIMEOUT},
    {"idle", by_idle, CLOSE_DRAIN, CLOSE_DRAIN},
    {"websocket", by_websocket, CLOSE_PROTOCOL_ERROR, CLOSE_DRAIN},
    {"twice", by_twice, CLOSE_DRAIN, CLOSE_DRAIN},
    {"stop", by_stop, 0, 0},
    {"time", by_time, 11, 11},
    {"time", by_time, 70, 70},
    {"time", by_time, 4000, 4000},
    {"receive", by_receive, 0, 0},
    {"receive", by_receive, ECONNRESET, ECONNRESET},
    {"receive", by_receive, EBADMSG, EBADMSG},
    {"receive", by_receive, ENOBUFS, ENOBUFS},
    {"send", by_send, EPIPE, EPIPE},
    {"send", by_send, ECANCELED, ECANCELED},
    {"garbage", by_garbage, 0, 0},
    {"memory", by_no_memory, 0, 0},
};

static void close_before_event(const struct way *way, unsigned argument, uint64_t event)
{
    char what[128];

    snprintf(what, sizeof what, "link %d, %s %u before event %u", (int)play.link, way->name,
             argument, (unsigned)event);
    while (is_open() && play.progress < event) {
        if (!happen()) {
            pass_time(IDLE_STEP_MS);
        }
    }
    if (is_open()) {
        way->close(play.conn, argument);
        end_turn();
    }
    play.is_silent = play.manners.silent_peer;
    run_to_end(what);
}

static uint64_t count_events(enum link link, struct manners manners)
{
    open_scene(link, manners);
    run_to_end("undisturbed");
    cr_assert(play.published);
    cr_assert_geq(play.step, STEP_CLOSE);
    cr_assert_eq(play.worker.counters.websockets_opened, 1);
    close_scene();
    return play.progress;
}

static void close_at_every_event(enum link link, struct manners manners)
{
    uint64_t events = count_events(link, manners);

    cr_assert_gt(events, 8);
    for (size_t i = 0; i < sizeof ways / sizeof ways[0]; i++) {
        for (unsigned argument = ways[i].first; argument <= ways[i].last; argument++) {
            for (uint64_t event = 0; event < events; event++) {
                open_scene(link, manners);
                close_before_event(&ways[i], argument, event);
                close_scene();
            }
        }
    }
}

static void close_on_link(enum link link)
{
    static const struct manners kinds[] = {
        {.short_sends = true, .silent_peer = true},
        {.short_sends = true, .late = true},
        {.late = true, .silent_peer = true},
    };

    require_uring();
    memset(&play, 0, sizeof play);
    if (link == LINK_USER_TLS_1_2 || link == LINK_USER_TLS_1_3) {
        pair_make(&play.files, "one.example", 30);
        play.context = context_make(&play.files, 1);
        pair_remove(&play.files);
    }
    for (size_t i = 0; i < sizeof kinds / sizeof kinds[0]; i++) {
        close_at_every_event(link, kinds[i]);
    }
    tls_context_unref(play.context);
}

Test(close, plain_connection_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_PLAIN);
}

Test(close, connection_with_kernel_tls_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_KERNEL_TLS);
}

Test(close, connection_whose_records_the_kernel_still_holds_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_KERNEL_TLS_FULL);
}

Test(close, nothing_overtakes_records_that_the_kernel_still_holds)
{
    require_uring();
    memset(&play, 0, sizeof play);
    open_scene(LINK_KERNEL_TLS_FULL, (struct manners){0});
    while (play.conn->phase != PHASE_WEBSOCKET) {
        cr_assert(happen());
    }
    by_websocket(play.conn, CLOSE_DRAIN);
    while (happen()) { /* to close_notify, and to the peer's end */
    }
    cr_assert(play.conn->notify_submitted && play.conn->peer_ended);
    cr_assert(!play.conn->fin_sent && !play.conn->close_submitted);
    play.is_full_no_more = true;
    run_to_end("with room again");
    close_scene();
}

/* Sends go out at the end of a turn: with many of them the first look may come late. */
Test(close, turn_that_takes_all_of_the_linger_is_not_counted_against_a_viewer_at_a_stop)
{
    require_uring();
    memset(&play, 0, sizeof play);
    open_scene(LINK_PLAIN, (struct manners){0});
    while (!publish()) {
        cr_assert(happen());
    }
    play.is_silent = true;
    by_stop(play.conn, 0);
    end_turn();
    cr_assert(play.conn->phase == PHASE_CLOSING && play.conn->send_op.in_flight);
    pass_time(STOP_LINGER_MS + 50);
    cr_assert_not(play.conn->close_submitted);
    pass_time(STOP_LINGER_MS + 50);
    cr_assert(play.conn->close_submitted);
    run_to_end("after a long turn");
    close_scene();
}

/* Its peer only needs to have taken nothing, so this must not become a way to stay. */
Test(close, idle_connection_whose_end_finds_no_room_lingers_only)
{
    require_uring();
    memset(&play, 0, sizeof play);
    open_scene(LINK_KERNEL_TLS_FULL, (struct manners){0});
    play.is_silent = true;
    conn_close_idle(play.conn, CLOSE_HTTP_DONE);
    while (happen()) { /* to close_notify */
    }
    cr_assert(play.conn->notify_submitted && !play.conn->close_submitted);
    for (unsigned ms = 0; ms < CLOSE_LINGER_MS; ms += 50) {
        cr_assert_not(play.conn->close_submitted);
        pass_time(50);
    }
    cr_assert(play.conn->close_submitted && play.conn->discard_unsent);
    run_to_end("idle without room");
    close_scene();
}

/* A look is due sooner than the time to linger is over, and must not cut that short. */
Test(close, bytes_between_two_looks_leave_the_peer_its_time)
{
    require_uring();
    memset(&play, 0, sizeof play);
    open_scene(LINK_KERNEL_TLS_FULL, (struct manners){0});
    while (play.conn->phase != PHASE_WEBSOCKET) {
        cr_assert(happen());
    }
    play.is_silent = true;
    by_websocket(play.conn, CLOSE_DRAIN);
    while (happen()) { /* to close_notify */
    }
    cr_assert_lt(play.conn->deadline.due_ms, play.worker.now_ms + CLOSE_LINGER_MS);
    play.is_full_no_more = true;
    play.is_silent = false;
    play.step = STEP_TALK;
    while (!play.conn->fin_sent) {
        cr_assert(happen());
    }
    cr_assert_eq(play.conn->deadline.due_ms, play.worker.now_ms + CLOSE_LINGER_MS);
    run_to_end("after its time");
    close_scene();
}

Test(close, connection_whose_key_change_the_kernel_refuses_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_KERNEL_TLS_REKEY_REFUSED);
}

Test(close, connection_that_answers_a_key_change_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_KERNEL_TLS_REKEY_ANSWERED);
}

Test(close, connection_with_records_of_tls_1_3_in_user_space_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_USER_TLS_1_3);
}

Test(close, connection_with_records_of_tls_1_2_in_user_space_ends_whole_wherever_it_is_closed)
{
    close_on_link(LINK_USER_TLS_1_2);
}
