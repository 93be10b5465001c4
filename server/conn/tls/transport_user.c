/* TLS records made and opened by OpenSSL, between the socket and the phases: for clients, kernels
 * and settings where the kernel does not do it. Nothing but records passes through here. */
#include "server/conn/tls/transport_user.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/check.h"
#include "server/conn/conn.h"
#include "server/conn/receive.h"
#include "server/conn/send.h"
#include "server/tls/tls_session.h"

/* Plain bytes of one batch: a connection holds no more as ciphertext while its peer is slow. */
enum { BATCH_PLAIN_BYTES_MAX = 256 * 1024, SMALL_BATCH_PLAIN_BYTES = TLS_RECORD_PAYLOAD_MAX };

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

static size_t total_len(const struct iovec *slices, unsigned count)
{
    size_t len = 0;

    for (unsigned i = 0; i < count; i++) {
        len += slices[i].iov_len;
    }
    return len < BATCH_PLAIN_BYTES_MAX ? len : BATCH_PLAIN_BYTES_MAX;
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

static void fail(struct conn *conn)
{
    conn_send_abandon(conn);
    conn_fail(conn, CLOSE_TLS_FAILED);
}

static bool is_answer(const struct conn *conn)
{
    const struct send_queue *queue = &conn->subscriber.queue;

    return !send_queue_empty(queue) && send_queue_at(queue, 0)->pool == &conn->worker->requests;
}

/* An answer to a connection that was not admitted yet: from the memory that it came from. */
static uint8_t *take_small_block(struct conn *conn, unsigned slices, size_t *plain_len,
                                 size_t *ret_size)
{
    *plain_len = *plain_len < SMALL_BATCH_PLAIN_BYTES ? *plain_len : SMALL_BATCH_PLAIN_BYTES;
    *ret_size = records_size(conn, *plain_len, slices);
    conn->tls.output.pool = &conn->worker->requests;
    return block_pool_take_reserved(&conn->worker->requests, *ret_size);
}

/* The last ones are not on their way yet, so that more of them would only wait, and records cannot
 * be dropped: their numbers would be missing. */
static bool is_behind(const struct conn *conn)
{
    int unsent = 0;

    return ioctl(conn->fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0;
}

/* Memory that messages use up must cost viewers messages, not their connection: then they go on
 * with small batches, from the reserve. */
static uint8_t *take_block(struct conn *conn, unsigned slices, size_t *plain_len, size_t *ret_size)
{
    if (is_answer(conn)) {
        return take_small_block(conn, slices, plain_len, ret_size);
    }
    if (*plain_len > SMALL_BATCH_PLAIN_BYTES && is_behind(conn)) {
        *plain_len = SMALL_BATCH_PLAIN_BYTES;
    }
    conn->tls.output.pool = &conn->worker->blocks;
    *ret_size = records_size(conn, *plain_len, slices);
    uint8_t *block = block_pool_take(&conn->worker->blocks, *ret_size);

    if (block == NULL) {
        *plain_len = *plain_len < SMALL_BATCH_PLAIN_BYTES ? *plain_len : SMALL_BATCH_PLAIN_BYTES;
        *ret_size = records_size(conn, *plain_len, slices);
        block = block_pool_take_reserved(&conn->worker->blocks, *ret_size);
    }
    return block;
}

static bool make_records(struct conn *conn, const struct iovec *slices, unsigned count)
{
    struct tls_output *output = &conn->tls.output;
    size_t plain_len = total_len(slices, count);
    size_t size;

    CHECK(output->records == NULL);
    output->records = take_block(conn, count, &plain_len, &size);
    if (output->records == NULL) {
        counters_increment(&conn->worker->counters, messages_dropped_memory);
        worker_alarm(conn->worker, ALARM_MESSAGE_MEMORY);
        fail(conn);
        return false;
    }
    size_t late_len = put_late(conn, output->records);

    tls_session_set_output(conn->tls.session, output->records + late_len, size - late_len);
    bool made = encrypt(conn, slices, count, plain_len);

    output->len = (uint32_t)(late_len + tls_session_output_len(conn->tls.session));
    CHECK(output->len <= size);
    output->sent = 0;
    output->plain_len = plain_len;
    tls_session_set_output(conn->tls.session, NULL, 0);
    if (!made) {
        fail(conn);
    }
    return made;
}

/* Makes records of what is queued, or goes on with those that are made. */
static bool prepare(struct conn *conn)
{
    struct tls_output *output = &conn->tls.output;
    struct iovec slices[SEND_SLICES_MAX];
    unsigned count = 0;

    if (output->records != NULL) {
        return true;
    }
    if (!send_queue_empty(&conn->subscriber.queue)) {
        count = send_queue_begin(&conn->subscriber.queue, conn->worker, slices, SEND_SLICES_MAX);
    }
    return (count > 0 || tls_session_late(conn->tls.session).len > 0) &&
           make_records(conn, slices, count);
}

static bool send_next(struct conn *conn)
{
    const struct tls_output *output = &conn->tls.output;

    if (!prepare(conn)) {
        return false;
    }
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->send_op);

    io_uring_prep_send(sqe, conn->fd, output->records + output->sent, output->len - output->sent,
                       MSG_NOSIGNAL);
    return true;
}

static bool on_sent(struct conn *conn, size_t len, size_t *ret_plain_len)
{
    struct tls_output *output = &conn->tls.output;

    output->sent += (uint32_t)len;
    CHECK(output->sent <= output->len);
    *ret_plain_len = output->plain_len;
    return output->sent == output->len;
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
    if (len > 0) {
        struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->notify_op);

        io_uring_prep_send(sqe, conn->fd, records, len, MSG_NOSIGNAL);
    }
    return true;
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
    .on_sent = on_sent,
    .notify = notify,
    .release = release,
};
