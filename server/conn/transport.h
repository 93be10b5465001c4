/* The way of bytes between socket and phase: plain, or as TLS records that the kernel, we or
 * OpenSSL make and open. One table for each way. A connection begins with transport_plain; those
 * with TLS are above, in conn/tls: one for the handshake, and one each for records made by the
 * kernel and in user space. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/tls/ktls.h"

struct conn;
struct conn_tls;

struct transport_ops {
    const char *text; /* in reports; "": no TLS */
    /* Bytes came from the socket. */
    void (*on_received)(struct conn *conn, struct bytes bytes);
    /* The receive ended with this error. True: it did not end the connection, or the transport has
     * failed it. NULL: the transport has no errors of its own. */
    bool (*on_receive_failed)(struct conn *conn, int error);
    bool places; /* what comes from the socket is the peer's bytes, and may be received in place */
    /* Submits the next send. False: there is nothing to send. */
    bool (*send_next)(struct conn *conn);
    /* len bytes of that send were taken by the kernel. True: all of the batch is sent, which was
     * *ret_plain_len bytes of the queue. */
    bool (*on_sent)(struct conn *conn, size_t len, size_t *ret_plain_len);
    /* Submits close_notify by notify_op, or finds that there is none to send. False: not now, for
     * want of memory. NULL: the transport has none. */
    bool (*notify)(struct conn *conn);
    /* Whether a FIN comes behind all that was sent, and cuts nothing off. NULL: always. */
    bool (*is_passed_on)(const struct conn *conn);
    /* conn takes what the transport keeps of a connection that moves to this worker. from: its
     * state on the other one, which stays as it is until let_go there. False: no memory, and
     * nothing was taken. NULL: there is nothing to take. */
    bool (*take_over)(struct conn *conn, const struct conn_tls *from);
    /* Gives up the things that take_over took: conn is released next. NULL: it took none. */
    void (*let_go)(struct conn *conn);
    /* Frees what the transport took; the kernel holds nothing any more. NULL: nothing. */
    void (*release)(struct conn *conn);
};

extern const struct transport_ops transport_plain;

/* For transports whose bytes are those of the queue. */
void transport_pass_received(struct conn *conn, struct bytes bytes);
bool transport_send_frames(struct conn *conn);
bool transport_frames_sent(struct conn *conn, size_t len, size_t *ret_plain_len);

/* Memory for control_record or notify_record, unless it is there already; from the reserve, because
 * messages that use up the rest must not cost a connection its proper end. */
MUST_USE bool transport_take_record(struct conn *conn, struct ktls_record **record);
void transport_put_record(struct conn *conn, struct ktls_record **record);
