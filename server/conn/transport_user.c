/* TLS records made and opened by OpenSSL, between the socket and the phases: for clients, kernels
 * and settings where the kernel does not do it. Nothing but records passes through here. */
#include "base/check.h"
#include "server/conn/conn.h"

/* Of one batch: what a connection may hold as ciphertext while its peer is slow. */
enum { BATCH_PLAIN_BYTES_MAX = 256 * 1024, SMALL_BATCH_PLAIN_BYTES = TLS_RECORD_PAYLOAD_MAX };

static void take_plain(struct conn *conn, struct bytes plain)
{
    conn_phase_ops(conn)->on_bytes(conn, plain);
}

void user_tls_receive(struct conn *conn, struct bytes records)
{
    uint8_t *plain = conn->table->plaintext;
    enum tls_status status = TLS_STATUS_OK;

    while (status == TLS_STATUS_OK && !conn->close_submitted) {
        size_t len;

        status = tls_session_decrypt(conn->tls, &records, plain, TLS_RECORD_PAYLOAD_MAX, &len);
        if (status == TLS_STATUS_OK) {
            take_plain(conn, bytes_of(plain, len));
        }
    }
    if (tls_session_late(conn->tls).len > 0) {
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
        conn_close_now(conn, CLOSE_TLS_FAILED);
        return;
    }
}

static size_t records_size(const struct conn *conn, size_t plain_len, unsigned slices)
{
    size_t records = plain_len / tls_session_fragment_max(conn->tls) + slices + 1;

    return plain_len + records * TLS_RECORD_OVERHEAD + TLS_LATE_BYTES;
}

/* At most len bytes of the slices; returns how many were encrypted. */
static bool encrypt(struct conn *conn, const struct iovec *slices, unsigned count, size_t len)
{
    for (unsigned i = 0; i < count && len > 0; i++) {
        size_t take = slices[i].iov_len < len ? slices[i].iov_len : len;

        if (tls_session_encrypt(conn->tls, bytes_of(slices[i].iov_base, take)) != TLS_STATUS_OK) {
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

/* What OpenSSL said on its own goes in front: it was made before. */
static size_t put_late(struct conn *conn, uint8_t *records)
{
    struct bytes late = tls_session_late(conn->tls);

    for (size_t i = 0; i < late.len; i++) {
        records[i] = late.data[i];
    }
    tls_session_take_late(conn->tls);
    return late.len;
}

static void fail(struct conn *conn)
{
    conn_send_abandon(conn);
    conn_close_now(conn, CLOSE_TLS_FAILED);
}

/* Memory that messages use up must cost viewers messages, not their connection: then they go on
 * with small batches, from the reserve. */
static uint8_t *take_block(struct conn *conn, unsigned slices, size_t *plain_len, size_t *ret_size)
{
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
    struct tls_output *output = &conn->tls_output;
    size_t plain_len = total_len(slices, count);
    size_t size;

    output->records = take_block(conn, count, &plain_len, &size);
    if (output->records == NULL) {
        counters_increment(&conn->worker->counters, messages_dropped_memory);
        worker_alarm(conn->worker, ALARM_MESSAGE_MEMORY);
        fail(conn);
        return false;
    }
    size_t late_len = put_late(conn, output->records);

    tls_session_set_output(conn->tls, output->records + late_len, size - late_len);
    bool made = encrypt(conn, slices, count, plain_len);

    output->len = (uint32_t)(late_len + tls_session_output_len(conn->tls));
    output->sent = 0;
    output->plain_len = plain_len;
    tls_session_set_output(conn->tls, NULL, 0);
    if (!made) {
        fail(conn);
    }
    return made;
}

bool user_tls_prepare(struct conn *conn, struct bytes *ret_records)
{
    struct tls_output *output = &conn->tls_output;
    struct iovec slices[SEND_SLICES_MAX];
    unsigned count = 0;

    if (output->records == NULL) {
        if (!send_queue_empty(&conn->subscriber.queue)) {
            count = send_queue_begin(&conn->subscriber.queue, conn->worker,
                                     &conn->table->shared->bounds, slices, SEND_SLICES_MAX);
        }
        if (count == 0 && tls_session_late(conn->tls).len == 0) {
            return false;
        }
        if (!make_records(conn, slices, count)) {
            return false;
        }
    }
    *ret_records = bytes_of(output->records + output->sent, output->len - output->sent);
    return true;
}

bool user_tls_sent(struct conn *conn, size_t len, size_t *ret_plain_len)
{
    struct tls_output *output = &conn->tls_output;

    output->sent += (uint32_t)len;
    CHECK(output->sent <= output->len);
    if (output->sent < output->len) {
        return false;
    }
    *ret_plain_len = output->plain_len;
    return true;
}

void user_tls_discard(struct conn *conn)
{
    block_pool_put(&conn->worker->blocks, conn->tls_output.records);
    conn->tls_output = (struct tls_output){0};
}

struct bytes user_tls_close_notify(struct conn *conn, uint8_t *records, size_t size)
{
    size_t late_len = put_late(conn, records);

    tls_session_set_output(conn->tls, records + late_len, size - late_len);
    tls_session_close_notify(conn->tls);
    size_t len = late_len + tls_session_output_len(conn->tls);

    tls_session_set_output(conn->tls, NULL, 0);
    return bytes_of(records, len);
}
