#include "server/loop/mailbox.h"

#include <errno.h>

void mailbox_post(struct ring *from, int target_ring_fd, uint64_t letter)
{
    struct io_uring_sqe *sqe = ring_sqe_raw(from, letter | OP_TAG_UNDELIVERED);

    io_uring_prep_msg_ring(sqe, target_ring_fd, 0, letter, 0);
    sqe->flags |= IOSQE_CQE_SKIP_SUCCESS;
}

/* The kernel orders the two threads, but C's memory model does not know that. */
static void mark_posted(struct call *call)
{
    atomic_store_explicit(&call->posted, true, memory_order_release);
}

void mailbox_post_call(struct ring *from, int target_ring_fd, struct call *call, unsigned target)
{
    mark_posted(call);
    mailbox_post(from, target_ring_fd, letter_pack(LETTER_CALL, call, target));
}

int mailbox_post_from_outside(struct ring *from, int target_ring_fd, struct call *call)
{
    struct io_uring_sqe *sqe = ring_sqe_raw(from, 0);
    struct io_uring_cqe *cqe;

    mark_posted(call);
    io_uring_prep_msg_ring(sqe, target_ring_fd, 0, letter_pack(LETTER_CALL, call, 0), 0);
    /* A prepared submission stays until the kernel takes it: a second one would run the call
     * twice. */
    while (io_uring_peek_cqe(&from->uring, &cqe) != 0) {
        int failed = io_uring_submit_and_wait(&from->uring, 1);

        if (failed < 0 && failed != -EINTR && failed != -EAGAIN && failed != -EBUSY) {
            return failed;
        }
    }
    int failed = cqe->res < 0 ? cqe->res : 0;

    io_uring_cqe_seen(&from->uring, cqe);
    return failed;
}
