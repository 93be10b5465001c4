/* A batch: a block of records made in user space of what is queued, for one send. It is sent whole
 * before the next is made, because records are numbered. Owner worker only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "base/attributes.h"
#include "server/hub/send_queue.h"

struct conn;

struct tls_batch {
    struct iovec slices[SEND_SLICES_MAX];
    unsigned count;
    size_t plain_len; /* bytes of the slices that are to become records; perhaps not all */
    size_t size;      /* of conn->tls.output.records, the block for them */
};

/* Bytes that so many plain ones, in so many slices, need as records at most. */
typedef size_t tls_batch_size_fn(const struct conn *conn, size_t plain_len, unsigned slices);

/* Takes what is queued, perhaps nothing, and a block. False without memory: it has failed the
 * connection. */
MUST_USE bool tls_batch_begin(struct conn *conn, struct tls_batch *batch,
                              tls_batch_size_fn *size_of);
/* The block holds so many bytes of records. */
void tls_batch_end(struct conn *conn, const struct tls_batch *batch, size_t len);
/* They could not be made: fails the connection. */
void tls_batch_fail(struct conn *conn);

/* Submits the send of those that are made. */
void tls_batch_send(struct conn *conn);
/* Submits close_notify, and what stands in front of it: len bytes of conn->tls.notify_record, which
 * may be none. */
void tls_batch_notify(struct conn *conn, size_t len);
/* The on_sent of such transports (transport.h). */
bool tls_batch_on_sent(struct conn *conn, size_t len, size_t *ret_plain_len);
