/* Plain TCP: bytes go as they are. What the other transports have in common with it is here too. */
#include "server/conn/conn.h"
#include "server/conn/transport.h"

/* Places for slices that one message header takes. */
enum { HEADER_SLICES = (sizeof(struct msghdr) + sizeof(struct iovec) - 1) / sizeof(struct iovec) };

static void prepare_many(struct io_uring_sqe *sqe, struct conn *conn, struct iovec *slices,
                         unsigned count, unsigned room)
{
    /* The header of the call lives behind its slices, as long as they do: until the submit. */
    struct msghdr *header = (struct msghdr *)(void *)(slices + room);

    *header = (struct msghdr){.msg_iov = slices, .msg_iovlen = count};
    io_uring_prep_sendmsg(sqe, conn->fd, header, MSG_NOSIGNAL);
}

bool transport_send_frames(struct conn *conn)
{
    struct worker *worker = conn->worker;
    struct send_queue *queue = &conn->subscriber.queue;
    struct iovec one[1];

    if (send_queue_empty(queue)) {
        return false;
    }
    /* First of all: getting a slot may submit, and slices taken before that would be given out
     * again. */
    ring_reserve(&worker->ring, 1);
    unsigned room = send_queue_slices(queue);
    bool many = room > 1;
    struct iovec *slices = many ? ring_iovecs(&worker->ring, room + HEADER_SLICES) : one;
    unsigned count = send_queue_begin(queue, worker, slices, room);

    struct io_uring_sqe *sqe = ring_sqe(&worker->ring, &conn->send_op);

    if (count == 1) {
        io_uring_prep_send(sqe, conn->fd, slices[0].iov_base, slices[0].iov_len, MSG_NOSIGNAL);
    } else {
        prepare_many(sqe, conn, slices, count, room);
    }
    return true;
}

void transport_pass_received(struct conn *conn, struct bytes bytes)
{
    conn_phase_ops(conn)->on_bytes(conn, bytes);
}

bool transport_frames_sent(struct conn *conn, size_t len, size_t *ret_plain_len)
{
    *ret_plain_len = len;
    return true;
}

bool transport_take_record(struct conn *conn, struct ktls_record **record)
{
    if (*record == NULL) {
        *record = block_pool_take_reserved(&conn->worker->blocks, sizeof **record);
    }
    return *record != NULL;
}

void transport_put_record(struct conn *conn, struct ktls_record **record)
{
    block_pool_put(&conn->worker->blocks, *record);
    *record = NULL;
}

const struct transport_ops transport_plain = {
    .text = "",
    .places = true,
    .on_received = transport_pass_received,
    .send_next = transport_send_frames,
    .on_sent = transport_frames_sent,
};
