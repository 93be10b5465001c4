/* TLS 1.3 records made and opened by ourselves (server/tls/record/), the twin of kernel TLS: after
 * the handshake nothing of OpenSSL's SSL is left. They are made straight from the shared messages,
 * and opened where they were received. Facts: docs/decisions/0019-own-records.md. */
#include "server/conn/tls/transport_records.h"

#include <string.h>
#include <sys/socket.h>

#include "base/check.h"
#include "server/conn/close.h"
#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/tls/tls_batch.h"
#include "server/tls/record/tls_records.h"

enum {
    KEY_UPDATE_ROOM = TLS_SEAL_OVERHEAD + TLS_KEY_UPDATE_BYTES,
    ALERT_BYTES = 2,
    ALERT_LEVEL_WARNING = 1,
    ALERT_LEVEL_FATAL = 2,
    CLOSE_NOTIFY = 0,
    PARTIAL_BYTES_MIN = 1024,
    KEY_IDLE_MS = 1000,
};

/* The beginning of a record, the rest of which has not come. */
struct partial_record {
    struct block_pool *pool; /* from which it is */
    uint32_t got, capacity;
    uint8_t bytes[];
};

/* With less than a record a second it gives up its context, half of what an idle connection keeps:
 * most viewers say no more than a pong. */
static void rest_if_rare(struct tls_cipher *cipher, uint64_t *used_ms, uint64_t now_ms)
{
    if (now_ms >= *used_ms + KEY_IDLE_MS) {
        tls_cipher_rest(cipher);
    }
    *used_ms = now_ms;
}

static size_t seal_alert(struct conn *conn, uint8_t level, uint8_t description, uint8_t *output)
{
    uint8_t alert[ALERT_BYTES] = {level, description};
    const struct iovec slice = {.iov_base = alert, .iov_len = sizeof alert};
    struct tls_plain plain = {.slices = &slice, .len = sizeof alert};

    return tls_sealer_seal(&conn->tls.records->sealer, TLS_CONTENT_ALERT, &plain, output);
}

/* Tells the peer why, if that cannot get between the bytes of another record: a plain call that
 * does not block, as the descriptor is closed next. */
static void say_alert(struct conn *conn, uint8_t description)
{
    uint8_t record[TLS_SEAL_OVERHEAD + ALERT_BYTES];

    if (conn->send_op.in_flight || conn->tls.output.records != NULL || conn->notify_submitted) {
        return;
    }
    size_t len = seal_alert(conn, ALERT_LEVEL_FATAL, description, record);

    if (len > 0) {
        (void)!send(conn->fd, record, len, MSG_DONTWAIT | MSG_NOSIGNAL);
    }
}

static void refuse(struct conn *conn, enum tls_opened opened)
{
    counters_increment(&conn->worker->counters, tls_broken);
    say_alert(conn, (uint8_t)opened);
    conn_fail(conn, CLOSE_TLS_FAILED);
}

static void follow_rekey(struct conn *conn, bool answer_wanted)
{
    if (!tls_cipher_update(&conn->tls.records->opener.cipher)) {
        refuse(conn, TLS_OPENED_FAILED);
        return;
    }
    counters_increment(&conn->worker->counters, tls_rekeys);
    if (answer_wanted) {
        conn->tls.records->answer_wanted = true; /* one answer for all that ask meanwhile */
        conn_send_wake(conn);
    }
}

static void take_control(struct conn *conn, uint8_t type, struct bytes payload)
{
    switch (tls_control_parse(type, payload)) {
    case TLS_CONTROL_CLOSE:
        if (!conn->peer_ended) {
            conn_receive_end(conn);
        }
        return;
    case TLS_CONTROL_NOTHING:
        return;
    case TLS_CONTROL_ALERT:
        counters_increment(&conn->worker->counters, tls_alerts);
        conn_fail(conn, CLOSE_BY_PEER);
        return;
    case TLS_CONTROL_REKEY:
        follow_rekey(conn, false);
        return;
    case TLS_CONTROL_REKEY_AND_ANSWER:
        follow_rekey(conn, true);
        return;
    case TLS_CONTROL_BAD_VALUE:
        refuse(conn, TLS_OPENED_BAD_VALUE);
        return;
    case TLS_CONTROL_BAD:
        refuse(conn, TLS_OPENED_UNEXPECTED);
        return;
    }
}

static void take_record(struct conn *conn, uint8_t *record, size_t len)
{
    struct tls_records *records = conn->tls.records;
    uint8_t type;
    struct bytes payload;
    enum tls_opened opened = tls_opener_open(&records->opener, record, len, &type, &payload);

    rest_if_rare(&records->opener.cipher, &records->opened_ms, conn->worker->now_ms);
    if (opened != TLS_OPENED) {
        refuse(conn, opened);
    } else if (type != TLS_CONTENT_DATA) {
        take_control(conn, type, payload);
    } else if (payload.len > 0) {
        transport_pass_received(conn, payload);
    }
}

/* Nothing behind the peer's end counts, and nothing behind ours. */
static bool goes_on(const struct conn *conn)
{
    return !conn->close_submitted && !conn->peer_ended;
}

static void release_partial(struct conn *conn)
{
    struct partial_record *partial = conn->tls.partial;

    if (partial != NULL) {
        bytes_wipe(partial->bytes, partial->got);
        block_pool_put(partial->pool, partial);
        conn->tls.partial = NULL;
    }
}

/* Only a request is worth an older connection's place. */
static void fail_for_memory(struct conn *conn)
{
    if (conn->phase == PHASE_HTTP) {
        conn_close_for_memory(conn);
    } else {
        conn_close_count_memory(conn);
        conn_fail(conn, CLOSE_IO_ERROR);
    }
}

static struct partial_record *take_from(struct block_pool *pool, size_t capacity)
{
    struct partial_record *partial = block_pool_take(pool, sizeof *partial + capacity);

    if (partial != NULL) {
        *partial = (struct partial_record){.pool = pool, .capacity = (uint32_t)capacity};
    }
    return partial;
}

/* A member's record is the beginning of a message, and is made of the memory of messages: those
 * that may not even ask could use up that of requests. */
static struct partial_record *take_partial(struct conn *conn, size_t capacity)
{
    struct worker *worker = conn->worker;
    struct partial_record *partial =
        conn->phase == PHASE_WEBSOCKET ? take_from(&worker->blocks, capacity) : NULL;

    return partial != NULL ? partial : take_from(&worker->requests, capacity);
}

/* Room for so many bytes; keeps those that are there. It grows with what has come, not with what is
 * announced. */
static bool make_room(struct conn *conn, size_t capacity)
{
    struct partial_record *old = conn->tls.partial;
    struct partial_record *partial = take_partial(conn, capacity);

    if (partial == NULL) {
        fail_for_memory(conn);
        return false;
    }
    if (old != NULL) {
        partial->got = old->got;
        memcpy(partial->bytes, old->bytes, old->got);
        release_partial(conn);
    }
    conn->tls.partial = partial;
    return true;
}

/* Moves bytes into the partial record until it has wanted of them. */
static bool fill(struct conn *conn, struct bytes *bytes, size_t wanted)
{
    const struct partial_record *old = conn->tls.partial;
    size_t got = old == NULL ? 0 : old->got;
    size_t take = wanted - got < bytes->len ? wanted - got : bytes->len;

    if (take == 0) {
        return true;
    }
    if (old == NULL || got + take > old->capacity) {
        size_t capacity =
            2 * (got + take) < PARTIAL_BYTES_MIN ? PARTIAL_BYTES_MIN : 2 * (got + take);

        if (!make_room(conn, capacity < wanted ? capacity : wanted)) {
            return false;
        }
    }
    struct partial_record *partial = conn->tls.partial;

    memcpy(partial->bytes + partial->got, bytes->data, take);
    partial->got += (uint32_t)take;
    *bytes = bytes_skip(*bytes, take);
    return true;
}

/* Length of the record that begins there; 0: it was refused. */
static size_t measure(struct conn *conn, const uint8_t *header)
{
    size_t len;
    enum tls_opened measured = tls_opener_measure(header, &len);

    if (measured != TLS_OPENED) {
        refuse(conn, measured);
        return 0;
    }
    return len;
}

/* Goes on with a record that began in an earlier receive. False: the connection failed, or there
 * are no more bytes. */
static bool continue_partial(struct conn *conn, struct bytes *bytes)
{
    if (conn->tls.partial->got < TLS_RECORD_HEADER &&
        (!fill(conn, bytes, TLS_RECORD_HEADER) || conn->tls.partial->got < TLS_RECORD_HEADER)) {
        return false;
    }
    size_t len = measure(conn, conn->tls.partial->bytes);

    if (len == 0 || !fill(conn, bytes, len) || conn->tls.partial->got < len) {
        return false;
    }
    take_record(conn, conn->tls.partial->bytes, len);
    release_partial(conn);
    return true;
}

/* Opens the record that begins there, or keeps the beginning of it. False as above. */
static bool take_next(struct conn *conn, struct bytes *bytes)
{
    size_t len = bytes->len < TLS_RECORD_HEADER ? TLS_RECORD_HEADER : measure(conn, bytes->data);

    if (len == 0) {
        return false;
    }
    if (len > bytes->len) {
        return fill(conn, bytes, len);
    }
    uint8_t *record = (uint8_t *)(uintptr_t)bytes->data; /* the worker's own receive buffer */

    *bytes = bytes_skip(*bytes, len);
    take_record(conn, record, len);
    return true;
}

static void on_received(struct conn *conn, struct bytes bytes)
{
    bool more = true;

    while (more && bytes.len > 0 && goes_on(conn)) {
        more = conn->tls.partial != NULL ? continue_partial(conn, &bytes) : take_next(conn, &bytes);
    }
}

static size_t records_size(const struct conn *conn, size_t plain_len, unsigned slices)
{
    return KEY_UPDATE_ROOM + tls_sealer_size(plain_len);
}

/* Answers the peer's KeyUpdate, or begins one: the last record under the old key. */
static bool put_key_update(struct tls_records *records, uint8_t *output, size_t *len)
{
    if (!records->answer_wanted && !tls_sealer_is_spent(&records->sealer)) {
        return true;
    }
    records->answer_wanted = false;
    *len = tls_sealer_update(&records->sealer, output);
    return *len > 0;
}

static bool seal_batch(struct conn *conn, const struct tls_batch *batch, size_t *ret_len)
{
    struct tls_records *records = conn->tls.records;
    struct tls_plain plain = {.slices = batch->slices, .len = batch->plain_len};
    uint8_t *output = conn->tls.output.records;
    size_t len = 0;
    bool sealed = put_key_update(records, output, &len);

    while (sealed && plain.len > 0) {
        size_t record_len =
            tls_sealer_seal(&records->sealer, TLS_CONTENT_DATA, &plain, output + len);

        sealed = record_len > 0;
        len += record_len;
    }
    rest_if_rare(&records->sealer.cipher, &records->sealed_ms, conn->worker->now_ms);
    *ret_len = len;
    return sealed;
}

static bool make_records(struct conn *conn)
{
    struct tls_batch batch;
    size_t len;

    if (!tls_batch_begin(conn, &batch, records_size)) {
        return false;
    }
    if (!seal_batch(conn, &batch, &len)) {
        tls_batch_fail(conn);
        return false;
    }
    tls_batch_end(conn, &batch, len);
    return true;
}

static bool send_next(struct conn *conn)
{
    if (conn->tls.output.records == NULL) {
        bool has_some =
            !send_queue_empty(&conn->subscriber.queue) || conn->tls.records->answer_wanted;

        if (!has_some || !make_records(conn)) {
            return false;
        }
    }
    tls_batch_send(conn);
    return true;
}

/* Without memory it is left out: the records before it are in TCP's hands already. */
static bool notify(struct conn *conn)
{
    if (!transport_take_record(conn, &conn->tls.notify_record)) {
        return true;
    }
    uint8_t *record = conn->tls.notify_record->data;
    size_t len = seal_alert(conn, ALERT_LEVEL_WARNING, CLOSE_NOTIFY, record);

    tls_batch_notify(conn, len);
    return true;
}

struct bytes transport_records_partial(const struct conn *conn)
{
    const struct partial_record *partial = conn->tls.partial;

    return partial == NULL ? bytes_of(NULL, 0) : bytes_of(partial->bytes, partial->got);
}

bool transport_records_restore(struct conn *conn, struct tls_records *records, struct bytes partial)
{
    CHECK(conn->tls.records == NULL && conn->tls.partial == NULL);
    conn->tls.records = records;
    if (partial.len == 0) {
        return true;
    }
    conn->tls.partial = take_partial(conn, partial.len);
    if (conn->tls.partial == NULL) {
        return false;
    }
    memcpy(conn->tls.partial->bytes, partial.data, partial.len);
    conn->tls.partial->got = (uint32_t)partial.len;
    return true;
}

/* The beginning of a record moves too. */
static bool take_over(struct conn *conn, const struct conn_tls *from)
{
    const struct partial_record *partial = from->partial;

    if (partial != NULL) {
        conn->tls.partial = take_from(&conn->worker->requests, partial->capacity);
        if (conn->tls.partial == NULL) {
            return false;
        }
        conn->tls.partial->got = partial->got;
        memcpy(conn->tls.partial->bytes, partial->bytes, partial->got);
    }
    conn->tls.records = from->records;
    return true;
}

static void let_go(struct conn *conn)
{
    conn->tls.records = NULL;
}

static void release(struct conn *conn)
{
    transport_put_record(conn, &conn->tls.notify_record);
    release_partial(conn);
    tls_records_destroy(conn->tls.records);
    conn->tls.records = NULL;
}

const struct transport_ops transport_records = {
    .text = "user",
    .on_received = on_received,
    .send_next = send_next,
    .on_sent = tls_batch_on_sent,
    .notify = notify,
    .take_over = take_over,
    .let_go = let_go,
    .release = release,
};
