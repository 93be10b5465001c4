#include "server/conn/tls/tls_batch.h"

#include <linux/sockios.h>
#include <sys/ioctl.h>

#include "base/check.h"
#include "server/conn/conn.h"
#include "server/conn/send.h"
#include "server/tls/record/tls_record.h"

/* Plain bytes of one batch: a connection holds no more as ciphertext while its peer is slow. */
enum { BATCH_PLAIN_BYTES_MAX = 256 * 1024, SMALL_BATCH_PLAIN_BYTES = TLS_RECORD_PAYLOAD_MAX };

static size_t total_len(const struct tls_batch *batch)
{
    size_t len = 0;

    for (unsigned i = 0; i < batch->count; i++) {
        len += batch->slices[i].iov_len;
    }
    return len < BATCH_PLAIN_BYTES_MAX ? len : BATCH_PLAIN_BYTES_MAX;
}

/* Or only a KeyUpdate, before there was a request. */
static bool is_answer(const struct conn *conn)
{
    const struct send_queue *queue = &conn->subscriber.queue;

    return send_queue_empty(queue) ? unfinished_has(conn)
                                   : send_queue_at(queue, 0)->pool == &conn->worker->requests;
}

static void make_small(const struct conn *conn, struct tls_batch *batch, tls_batch_size_fn *size_of)
{
    if (batch->plain_len > SMALL_BATCH_PLAIN_BYTES) {
        batch->plain_len = SMALL_BATCH_PLAIN_BYTES;
    }
    batch->size = size_of(conn, batch->plain_len, batch->count);
}

/* The last ones are not on their way yet, so that more of them would only wait, and records cannot
 * be dropped: their numbers would be missing. */
static bool is_behind(const struct conn *conn)
{
    int unsent = 0;

    return ioctl(conn->fd, SIOCOUTQNSD, &unsent) == 0 && unsent > 0;
}

/* Memory that messages use up must cost viewers messages, not their connection: then they go on
 * with small batches, from the reserve. An answer to a connection that was not admitted yet is made
 * from the memory that it came from. */
static uint8_t *take_block(struct conn *conn, struct tls_batch *batch, tls_batch_size_fn *size_of)
{
    struct block_pool *pool = is_answer(conn) ? &conn->worker->requests : &conn->worker->blocks;

    conn->tls.output.pool = pool;
    batch->size = size_of(conn, batch->plain_len, batch->count);
    if (pool == &conn->worker->requests) {
        make_small(conn, batch, size_of);
        return block_pool_take_reserved(pool, batch->size);
    }
    if (batch->plain_len > SMALL_BATCH_PLAIN_BYTES && is_behind(conn)) {
        make_small(conn, batch, size_of);
    }
    uint8_t *block = block_pool_take(pool, batch->size);

    if (block == NULL) {
        make_small(conn, batch, size_of);
        block = block_pool_take_reserved(pool, batch->size);
    }
    return block;
}

bool tls_batch_begin(struct conn *conn, struct tls_batch *batch, tls_batch_size_fn *size_of)
{
    struct send_queue *queue = &conn->subscriber.queue;

    CHECK(conn->tls.output.records == NULL);
    batch->count = send_queue_empty(queue)
                       ? 0
                       : send_queue_begin(queue, conn->worker, batch->slices, SEND_SLICES_MAX);
    batch->plain_len = total_len(batch);
    conn->tls.output.records = take_block(conn, batch, size_of);
    if (conn->tls.output.records == NULL) {
        counters_increment(&conn->worker->counters, messages_dropped_memory);
        worker_alarm(conn->worker, ALARM_MESSAGE_MEMORY);
        tls_batch_fail(conn);
        return false;
    }
    return true;
}

void tls_batch_end(struct conn *conn, const struct tls_batch *batch, size_t len)
{
    struct tls_output *output = &conn->tls.output;

    CHECK(len <= batch->size);
    output->len = (uint32_t)len;
    output->sent = 0;
    output->plain_len = batch->plain_len;
    conn->table->sealed_bytes += len;
}

void tls_batch_fail(struct conn *conn)
{
    conn_send_abandon(conn);
    conn_fail(conn, CLOSE_TLS_FAILED);
}

void tls_batch_send(struct conn *conn)
{
    const struct tls_output *output = &conn->tls.output;
    struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->send_op);

    CHECK(output->records != NULL);
    io_uring_prep_send(sqe, conn->fd, output->records + output->sent, output->len - output->sent,
                       MSG_NOSIGNAL);
}

void tls_batch_notify(struct conn *conn, size_t len)
{
    if (len > 0) {
        struct io_uring_sqe *sqe = ring_sqe(&conn->worker->ring, &conn->notify_op);

        io_uring_prep_send(sqe, conn->fd, conn->tls.notify_record->data, len, MSG_NOSIGNAL);
    }
}

bool tls_batch_on_sent(struct conn *conn, size_t len, size_t *ret_plain_len)
{
    struct tls_output *output = &conn->tls.output;

    output->sent += (uint32_t)len;
    CHECK(output->sent <= output->len);
    *ret_plain_len = output->plain_len;
    return output->sent == output->len;
}
