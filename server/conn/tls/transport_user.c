/* TLS records made and opened by OpenSSL, between the socket and the phases: for TLS 1.2, and for
 * clients that want short records (RFC 6066 §4). Nothing but records passes through here. */
#include "server/conn/tls/transport_user.h"

#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/conn/tls/tls_batch.h"
#include "server/tls/tls_session.h"

static void on_received(struct conn *conn, struct bytes records)
{
    uint8_t *plain = conn->table->plaintext;
    enum tls_status status = TLS_STATUS_OK;

    while (status == TLS_STATUS_OK && !conn->close_submitted) {
        size_t len;

        status =
            tls_session_decrypt(conn->tls.session, &records, plain, TLS_RECORD_PAYLOAD_MAX, &len);
        if (status == TLS_STATUS_OK) {
            transport_pass_received(conn, bytes_of(plain, len));
        }
    }
    if (tls_session_late(conn->tls.session).len > 0) {
        conn_send_wake(conn); /* OpenSSL answers a KeyUpdate on its own */
    }
    switch (status) {
    case TLS_STATUS_OK:
    case TLS_STATUS_WANT_INPUT:
        return;
    case TLS_STATUS_CLOSED:
        if (!conn->peer_ended) {
            conn_receive_end(conn);
        }
        return;
    case TLS_STATUS_WANT_OUTPUT:
    case TLS_STATUS_FAILED:
        counters_increment(&conn->worker->counters, tls_broken);
        conn_fail(conn, CLOSE_TLS_FAILED);
        return;
    }
}

static size_t records_size(const struct conn *conn, size_t plain_len, unsigned slices)
{
    size_t records = plain_len / tls_session_fragment_max(conn->tls.session) + slices + 1;

    return plain_len + records * TLS_RECORD_OVERHEAD + TLS_LATE_BYTES;
}

/* At most len bytes of the slices; returns how many were encrypted. */
static bool encrypt(struct conn *conn, const struct iovec *slices, unsigned count, size_t len)
{
    for (unsigned i = 0; i < count && len > 0; i++) {
        size_t take = slices[i].iov_len < len ? slices[i].iov_len : len;

        if (tls_session_encrypt(conn->tls.session, bytes_of(slices[i].iov_base, take)) !=
            TLS_STATUS_OK) {
            return false;
        }
        len -= take;
    }
    return true;
}

/* Records that OpenSSL wrote on its own go first: they were encrypted first. */
static size_t put_late(struct conn *conn, uint8_t *records)
{
    struct bytes late = tls_session_late(conn->tls.session);

    for (size_t i = 0; i < late.len; i++) {
        records[i] = late.data[i];
    }
    tls_session_take_late(conn->tls.session);
    return late.len;
}

static bool make_records(struct conn *conn)
{
    struct tls_session *session = conn->tls.session;
    struct tls_batch batch;

    if (!tls_batch_begin(conn, &batch, records_size)) {
        return false;
    }
    size_t late_len = put_late(conn, conn->tls.output.records);

    tls_session_set_output(session, conn->tls.output.records + late_len, batch.size - late_len);
    bool made = encrypt(conn, batch.slices, batch.count, batch.plain_len);

    tls_batch_end(conn, &batch, late_len + tls_session_output_len(session));
    tls_session_set_output(session, NULL, 0);
    if (!made) {
        tls_batch_fail(conn);
    }
    return made;
}

static bool send_next(struct conn *conn)
{
    if (conn->tls.output.records == NULL) {
        bool has_some = !send_queue_empty(&conn->subscriber.queue) ||
                        tls_session_late(conn->tls.session).len > 0;

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
    uint8_t *records = conn->tls.notify_record->data;
    size_t late_len = put_late(conn, records);

    tls_session_set_output(conn->tls.session, records + late_len, KTLS_RECORD_SIZE - late_len);
    tls_session_close_notify(conn->tls.session);
    size_t len = late_len + tls_session_output_len(conn->tls.session);

    tls_session_set_output(conn->tls.session, NULL, 0);
    tls_batch_notify(conn, len);
    return true;
}

static bool take_over(struct conn *conn, const struct conn_tls *from)
{
    conn->tls.session = from->session;
    return true;
}

static void let_go(struct conn *conn)
{
    conn->tls.session = NULL;
}

static void release(struct conn *conn)
{
    transport_put_record(conn, &conn->tls.notify_record);
    tls_session_destroy(conn->tls.session);
    conn->tls.session = NULL;
}

const struct transport_ops transport_user = {
    .text = "user",
    .on_received = on_received,
    .send_next = send_next,
    .on_sent = tls_batch_on_sent,
    .notify = notify,
    .take_over = take_over,
    .let_go = let_go,
    .release = release,
};
