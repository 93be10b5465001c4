/* The TLS handshake. It receives exactly one record at a time, so that nothing of what follows the
 * client's Finished is read: the kernel can then take over with record number 0. Afterwards the
 * connection is in one of three transports (transport.h) and enters PHASE_HTTP like a plain one. */
#include "server/conn/tls/phase_tls.h"

#include <errno.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/tls/transport_kernel.h"
#include "server/conn/tls/transport_records.h"
#include "server/conn/tls/transport_user.h"
#include "server/conn/transport.h"
#include "server/tls/record/tls_record.h"
#include "server/tls/record/tls_records.h"
#include "server/tls/tls_session.h"
#include "server/tls/tls_slot.h"

/* Most ClientHellos are shorter; for a longer one it doubles. */
enum { HANDSHAKE_INPUT_BYTES = 2048, HANDSHAKE_OUTPUT_BYTES = 16384 };

struct phase_tls {
    struct tls_session *session; /* from the turn of its first record on */
    uint32_t tickets_sent;
    bool done; /* the handshake is complete; its last bytes may still be on their way */
};
_Static_assert(sizeof(struct phase_tls) <= PHASE_STATE_BYTES, "it fits a connection");

static struct phase_tls *state_of(struct conn *conn)
{
    return (struct phase_tls *)(void *)conn->phase_state;
}

/* The kernel writes into it; it outlives the phase when a receive is in flight at its end. */
struct handshake_input {
    uint32_t wanted; /* bytes of the record known so far: its header, then all of it */
    uint32_t got;
    uint32_t capacity; /* of record */
    uint8_t record[];
};

static void receive_next(struct conn *conn);

static void tls_on_leave(struct conn *conn)
{
    tls_session_destroy(state_of(conn)->session);
}

static void release_input(struct conn *conn)
{
    if (conn->tls.handshake != NULL) {
        bytes_wipe(conn->tls.handshake->record, conn->tls.handshake->got);
        block_pool_put(&conn->worker->requests, conn->tls.handshake);
        conn->tls.handshake = NULL;
    }
}

static void log_failure(struct conn *conn, const char *reason)
{
    struct worker *worker = conn->worker;
    uint32_t suppressed;

    counters_increment(&worker->counters, tls_failed);
    if (log_enabled(LOG_LEVEL_INFO) &&
        log_limit_allow(&worker->log_limit, worker->now_ms, &suppressed)) {
        log_info("TLS handshake failed", LOG_TEXT("reason", reason),
                 LOG_INT("suppressed", suppressed));
    }
}

/* Queued bytes (an alert, an answer) are still sent; the rest of the peer's bytes is discarded. */
static void close_politely(struct conn *conn, enum close_reason reason)
{
    conn_close_begin(conn, reason);
    conn_receive_init(conn);
    conn_receive_start(conn);
}

/* A client that speaks plain HTTP to this port is told to use TLS. */
static void refuse_plain_http(struct conn *conn)
{
    static const char answer[] =
        "HTTP/1.1 400 Bad Request\r\nContent-Type: text/plain; charset=utf-8\r\n"
        "Connection: close\r\nContent-Length: 53\r\n\r\n"
        "This port speaks TLS: use https:// or wss:// instead\n";
    struct message *message = message_create_unframed(conn->worker, sizeof answer);

    _Static_assert(sizeof answer > 53, "the length above is of the last line");
    counters_increment(&conn->worker->counters, tls_plain_refused);
    if (message != NULL) {
        memcpy(message->payload, answer, sizeof answer - 1);
        message->payload_len = sizeof answer - 1;
        conn_send(conn, message);
    }
    close_politely(conn, CLOSE_HTTP_REFUSED);
}

static void refuse_record(struct conn *conn, const uint8_t header[static TLS_RECORD_HEADER])
{
    if (header[0] >= 'A' && header[0] <= 'Z') {
        refuse_plain_http(conn);
        return;
    }
    log_failure(conn, "not TLS");
    conn_close_now(conn, CLOSE_TLS_FAILED);
}

/* Room for so many bytes of a record, more than before; keeps those that are there. It grows with
 * what has come, not with what is announced. Not from the memory of messages: unauthenticated peers
 * must not use what authenticated ones need. */
static bool make_input(struct conn *conn, uint32_t capacity)
{
    struct handshake_input *old = conn->tls.handshake;
    struct handshake_input *input =
        block_pool_take(&conn->worker->requests, sizeof *input + capacity);

    if (input == NULL) {
        conn_close_for_memory(conn);
        return false;
    }
    *input = (struct handshake_input){.capacity = capacity};
    if (old != NULL) {
        input->wanted = old->wanted;
        input->got = old->got;
        memcpy(input->record, old->record, old->got);
    }
    release_input(conn);
    conn->tls.handshake = input;
    return true;
}

static bool make_session(struct conn *conn)
{
    struct tls_context *context = tls_slot_get(conn->table->shared->tls);

    state_of(conn)->session = tls_session_create(context);
    tls_context_unref(context);
    if (state_of(conn)->session == NULL) {
        conn_close_for_memory(conn);
    }
    return state_of(conn)->session != NULL;
}

/* One call of SSL_accept into a message of its own; more calls when the flight does not fit. */
static enum tls_status advance(struct conn *conn, struct bytes *record)
{
    struct phase_tls *tls = state_of(conn);
    struct message *message = message_create_unframed(conn->worker, HANDSHAKE_OUTPUT_BYTES);

    if (message == NULL) {
        conn_close_count_memory(conn);
        return TLS_STATUS_FAILED;
    }
    tls_session_set_output(tls->session, message->payload, HANDSHAKE_OUTPUT_BYTES);
    enum tls_status status = tls_session_accept(tls->session, record);

    message->payload_len = (uint32_t)tls_session_output_len(tls->session);
    tls_session_set_output(tls->session, NULL, 0);
    /* The last call writes session tickets, the first records under the traffic key. */
    tls->tickets_sent +=
        status == TLS_STATUS_OK ? tls_record_count(message->payload, message->payload_len) : 0;
    if (message->payload_len > 0) {
        return conn_send(conn, message) ? status : TLS_STATUS_FAILED;
    }
    share_unref(conn->worker, &message->home_share);
    return status;
}

static enum tls_status feed(struct conn *conn, struct bytes record)
{
    enum tls_status status = advance(conn, &record);

    while (status == TLS_STATUS_WANT_OUTPUT) {
        status = advance(conn, &record);
    }
    return status;
}

/* The suite of records that can be made without OpenSSL's SSL; TLS_SUITE_COUNT: they cannot. */
static enum tls_suite suite_of_records(const struct tls_session *session)
{
    if (!tls_session_is_tls13(session) ||
        tls_session_fragment_max(session) < TLS_RECORD_PAYLOAD_MAX) {
        return TLS_SUITE_COUNT;
    }
    return tls_suite_of(tls_session_cipher_id(session));
}

/* Kernel TLS where it can, else user space; or neither, where the operator requires it.
 */
static enum ktls_result choose_transport(struct conn *conn)
{
    const struct conn_shared *shared = conn->table->shared;
    struct phase_tls *tls = state_of(conn);
    enum tls_suite suite = suite_of_records(tls->session);

    if (!shared->ktls.any || suite == TLS_SUITE_COUNT || !shared->ktls.suites[suite]) {
        return KTLS_REFUSED;
    }
    return ktls_install(conn->fd, suite, tls_session_secrets(tls->session), tls->tickets_sent);
}

static void keep_secrets(struct conn *conn)
{
    const struct phase_tls *tls = state_of(conn);

    if (!conn->table->shared->ktls.rekey) {
        return;
    }
    conn->tls.rekey = block_pool_take(&conn->worker->blocks, sizeof *conn->tls.rekey);
    if (conn->tls.rekey != NULL) {
        *conn->tls.rekey = (struct rekey){
            .suite = tls_suite_of(tls_session_cipher_id(tls->session)),
            .secrets = *tls_session_secrets(tls->session),
        };
    }
}

static void leave_for_http(struct conn *conn)
{
    conn_receive_init(conn);
    conn_enter_phase(conn, PHASE_HTTP);
    conn_receive_start(conn);
}

static void become_kernel(struct conn *conn)
{
    /* After the installation nothing may fail: the socket is encrypted whatever we do. */
    release_input(conn);
    conn->transport = &transport_kernel;
    keep_secrets(conn);
    counters_increment(&conn->worker->counters, tls_kernel);
    leave_for_http(conn);
}

/* Nothing of the session is needed any more: it is freed with the phase. */
static bool take_records(struct conn *conn, enum tls_suite suite)
{
    const struct phase_tls *tls = state_of(conn);

    conn->tls.records =
        tls_records_create(suite, tls_session_secrets(tls->session), tls->tickets_sent);
    if (conn->tls.records == NULL) {
        conn_close_for_memory(conn);
        return false;
    }
    conn->transport = &transport_records;
    return true;
}

static void keep_session(struct conn *conn)
{
    struct phase_tls *tls = state_of(conn);

    conn->transport = &transport_user;
    conn->tls.session = tls->session;
    tls->session = NULL;
    tls_session_forget_secrets(conn->tls.session);
}

static void become_user(struct conn *conn)
{
    enum tls_suite suite = suite_of_records(state_of(conn)->session);

    if (conn->table->shared->ktls_required) {
        log_failure(conn, "kernel TLS is required, but not for this client");
        conn_close_now(conn, CLOSE_TLS_FAILED);
        return;
    }
    release_input(conn);
    if (suite == TLS_SUITE_COUNT) {
        keep_session(conn);
    } else if (!take_records(conn, suite)) {
        return;
    }
    counters_increment(&conn->worker->counters, tls_user);
    leave_for_http(conn);
}

/* The kernel takes over established connections only. A peer that ended its direction right behind
 * its request still gets the answer, as over plain TCP: nothing behind its Finished was read. */
static bool is_half_closed(const struct conn *conn)
{
    struct tcp_info info = {0};
    socklen_t len = sizeof info;

    return getsockopt(conn->fd, IPPROTO_TCP, TCP_INFO, &info, &len) == 0 &&
           info.tcpi_state == TCP_CLOSE_WAIT;
}

static void finish(struct conn *conn)
{
    switch (choose_transport(conn)) {
    case KTLS_INSTALLED:
        become_kernel(conn);
        break;
    case KTLS_REFUSED:
        become_user(conn);
        break;
    case KTLS_PEER_GONE:
        if (is_half_closed(conn) && !conn->table->shared->ktls_required) {
            become_user(conn);
        } else {
            conn_close_now(conn, CLOSE_BY_PEER);
        }
        break;
    case KTLS_BROKEN:
        log_failure(conn, "the kernel took one direction only");
        conn_close_now(conn, CLOSE_TLS_FAILED);
        break;
    }
}

/* All handshake bytes must have left before the kernel takes over. */
static void finish_if_sent(struct conn *conn)
{
    if (state_of(conn)->done && send_queue_empty(&conn->subscriber.queue)) {
        finish(conn);
    }
}

/* Under overload a client has often left before its first turn, and a handshake costs far more than
 * this look. One that ended its own direction only could not finish the handshake either. */
static bool is_gone(const struct conn *conn)
{
    uint8_t byte;
    ssize_t len = recv(conn->fd, &byte, sizeof byte, MSG_PEEK | MSG_DONTWAIT);

    return len == 0 || (len < 0 && errno == ECONNRESET);
}

static void take_record(struct conn *conn)
{
    struct phase_tls *tls = state_of(conn);

    if (tls->session == NULL && is_gone(conn)) {
        conn_close_now(conn, CLOSE_BY_PEER);
        return;
    }
    if (tls->session == NULL && !make_session(conn)) {
        return;
    }
    enum tls_status status =
        feed(conn, bytes_of(conn->tls.handshake->record, conn->tls.handshake->got));

    switch (status) {
    case TLS_STATUS_OK:
        tls->done = true;
        finish_if_sent(conn);
        return;
    case TLS_STATUS_WANT_INPUT:
        conn->tls.handshake->got = 0;
        conn->tls.handshake->wanted = TLS_RECORD_HEADER;
        receive_next(conn);
        return;
    case TLS_STATUS_CLOSED:
    case TLS_STATUS_WANT_OUTPUT:
    case TLS_STATUS_FAILED:
        log_failure(conn, tls_session_failure(tls->session));
        close_politely(conn, CLOSE_TLS_FAILED);
        return;
    }
}

/* The header tells how much more belongs to this record (RFC 8446 §5.1). */
static bool take_header(struct conn *conn)
{
    struct handshake_input *input = conn->tls.handshake;
    uint32_t len = (uint32_t)tls_record_measure(input->record);

    if (len == 0) {
        refuse_record(conn, input->record);
        return false;
    }
    input->wanted = len;
    return true;
}

static void take_bytes(struct conn *conn, uint32_t len)
{
    struct handshake_input *input = conn->tls.handshake;

    input->got += len;
    CHECK(input->got <= input->wanted); /* the receive asked for no more */
    if (input->got == TLS_RECORD_HEADER && input->wanted == TLS_RECORD_HEADER &&
        !take_header(conn)) {
        return;
    }
    if (input->got == input->wanted) {
        unfinished_await_turn(&conn->table->unfinished, conn);
    } else if (input->got < input->capacity || make_input(conn, 2 * input->capacity)) {
        receive_next(conn);
    }
}

static void tls_recv_on_complete(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);

    CHECK(conn->phase != PHASE_FREE);
    if (conn->phase == PHASE_TLS && result > 0) {
        take_bytes(conn, (uint32_t)result);
    } else if (conn->phase == PHASE_TLS) {
        conn_close_now(conn, CLOSE_BY_PEER);
    }
    conn_completed(conn);
}

/* Never more than is missing of the present record. */
static void receive_next(struct conn *conn)
{
    struct handshake_input *input = conn->tls.handshake;

    uint32_t end = input->wanted < input->capacity ? input->wanted : input->capacity;

    CHECK(input->got < end);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->recv_op);

    io_uring_prep_recv(sqe, conn->fd, input->record + input->got, end - input->got, 0);
}

/* The first bytes are there, not yet read: only now the connection costs memory. */
static void tls_on_readable(struct op *op, int result, uint32_t flags)
{
    struct conn *conn = container_of(op, struct conn, recv_op);

    CHECK(conn->phase != PHASE_FREE);
    if (conn->phase == PHASE_TLS && result >= 0 && make_input(conn, HANDSHAKE_INPUT_BYTES)) {
        conn->tls.handshake->wanted = TLS_RECORD_HEADER;
        op_init(&conn->recv_op, tls_recv_on_complete);
        receive_next(conn);
    } else if (conn->phase == PHASE_TLS && result < 0) {
        conn_close_now(conn, CLOSE_BY_PEER);
    }
    conn_completed(conn);
}

/* Its bytes are those of the queue: handshake records are made as messages. What it receives goes
 * to the phase only when that is closing. */
static const struct transport_ops transport_handshake = {
    .text = "",
    .on_received = transport_pass_received,
    .send_next = transport_send_frames,
    .on_sent = transport_frames_sent,
    .release = release_input,
};

static void tls_on_enter(struct conn *conn)
{
    *state_of(conn) = (struct phase_tls){0};
    timer_arm(&conn->worker->timers, &conn->deadline,
              conn->worker->now_ms + (uint64_t)conn->table->shared->config->handshake_timeout_ms);
    conn->transport = &transport_handshake;
    op_init(&conn->recv_op, tls_on_readable);
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->recv_op);

    io_uring_prep_poll_add(sqe, conn->fd, POLLIN);
}

static void tls_on_deadline(struct conn *conn)
{
    conn_close_now(conn, CLOSE_HANDSHAKE_TIMEOUT);
}

static void tls_on_end(struct conn *conn, enum close_reason reason)
{
    conn_close_now(conn, reason);
}

const struct phase_ops phase_tls_ops = {
    .on_enter = tls_on_enter,
    .on_turn = take_record,
    .on_sent = finish_if_sent,
    .on_deadline = tls_on_deadline,
    .on_failed = conn_close_now,
    .on_end = tls_on_end,
    .on_leave = tls_on_leave,
};
