/* A kernel that the test plays: it takes what one worker submitted to its ring out of the
 * submission queue, holds it, and completes it when and as the test likes. So a send can end short,
 * a cancel come late and a close overtake a receive, at will and the same in each run. Nothing is
 * submitted to the real one. One worker, one thread. */
#pragma once

#include <criterion/criterion.h>
#include <string.h>
#include <unistd.h>

#include "base/check.h"
#include "server/hub/message.h"
#include "server/hub/send_queue.h"
#include "server/loop/worker.h"

enum { HELD_MAX = 16 };

/* An operation that the kernel holds. */
struct held {
    struct op *op;
    uint64_t user_data, target; /* target: of a cancel */
    uint8_t opcode;
    bool multishot;
    bool buffered; /* a receive into the pool */
    int fd;
    void *memory; /* of a receive: where it goes; of a recvmsg: its header */
    size_t len;   /* bytes that may be moved */
    unsigned slices_count;
    struct iovec slices[SEND_SLICES_MAX]; /* of a send */
};

static struct {
    struct worker *worker;
    unsigned held_count;
    struct held held[HELD_MAX];
} kernel;

UNUSED static void kernel_open(struct worker *worker)
{
    kernel.worker = worker;
    kernel.held_count = 0;
}

static inline bool is_send(const struct held *held)
{
    return held->opcode == IORING_OP_SEND || held->opcode == IORING_OP_SENDMSG;
}

static void hold_slices(struct held *held, const struct io_uring_sqe *sqe)
{
    if (held->opcode == IORING_OP_SEND) {
        held->slices[0] = (struct iovec){(void *)(uintptr_t)sqe->addr, sqe->len};
        held->slices_count = 1;
    } else {
        const struct msghdr *header = (const struct msghdr *)(uintptr_t)sqe->addr;

        held->slices_count = (unsigned)header->msg_iovlen;
        cr_assert_leq(held->slices_count, SEND_SLICES_MAX);
        memcpy(held->slices, header->msg_iov, held->slices_count * sizeof held->slices[0]);
    }
    held->len = 0;
    for (unsigned i = 0; i < held->slices_count; i++) {
        held->len += held->slices[i].iov_len;
    }
}

static void hold(const struct io_uring_sqe *sqe)
{
    cr_assert_lt(kernel.held_count, HELD_MAX);
    struct held *held = &kernel.held[kernel.held_count++];

    *held = (struct held){.op = op_pointer(sqe->user_data),
                          .user_data = sqe->user_data,
                          .opcode = sqe->opcode,
                          .multishot = sqe->opcode == IORING_OP_RECV &&
                                       (sqe->ioprio & IORING_RECV_MULTISHOT) != 0,
                          .buffered = (sqe->flags & IOSQE_BUFFER_SELECT) != 0,
                          .fd = sqe->fd,
                          .memory = (void *)(uintptr_t)sqe->addr,
                          .len = sqe->len};
    if (is_send(held)) {
        hold_slices(held, sqe);
    } else if (held->opcode == IORING_OP_ASYNC_CANCEL) {
        held->target = sqe->addr;
    }
}

/* One that must be there. */
UNUSED static struct held *held_checked(struct held *held)
{
    CHECK(held != NULL);
    return held;
}

/* A call from the worker to itself. */
static void run_call(uint64_t letter)
{
    struct call *call = letter_pointer(letter);

    CHECK(letter_kind(letter) == LETTER_CALL);
    atomic_fetch_sub(&kernel.worker->letters_pending, 1);
    call->run(kernel.worker, call);
}

/* Takes what was submitted since the last time. */
UNUSED static void kernel_take(void)
{
    struct ring *ring = &kernel.worker->ring;
    struct io_uring_sq *queue = &ring->uring.sq;
    uint64_t letters[HELD_MAX];
    unsigned letters_count = 0;

    for (unsigned i = queue->sqe_head; i != queue->sqe_tail; i++) {
        const struct io_uring_sqe *sqe = &queue->sqes[i & *queue->kring_mask];

        if (sqe->opcode == IORING_OP_MSG_RING) {
            cr_assert_lt(letters_count, HELD_MAX);
            letters[letters_count++] = sqe->off;
        } else {
            hold(sqe);
        }
    }
    queue->sqe_tail = queue->sqe_head;
    ring->iovecs_used = 0;
    for (unsigned i = 0; i < letters_count; i++) {
        run_call(letters[i]);
    }
}

/* The first held operation of that code, or NULL. */
UNUSED static struct held *kernel_find(uint8_t opcode)
{
    for (unsigned i = 0; i < kernel.held_count; i++) {
        if (kernel.held[i].opcode == opcode) {
            return &kernel.held[i];
        }
    }
    return NULL;
}

UNUSED static struct held *kernel_find_target(uint64_t user_data)
{
    for (unsigned i = 0; i < kernel.held_count; i++) {
        if (kernel.held[i].user_data == user_data) {
            return &kernel.held[i];
        }
    }
    return NULL;
}

/* As the loop does with a completion, but for what is wrong there: no completion may be stale. */
UNUSED static void kernel_complete(struct held *held, int result, uint32_t flags)
{
    CHECK(held != NULL);
    struct held done = *held;
    bool more = (flags & IORING_CQE_F_MORE) != 0;

    if (!more) {
        kernel.held_count--;
        memmove(held, held + 1, (size_t)(&kernel.held[kernel.held_count] - held) * sizeof *held);
    }
    cr_assert_eq(done.op->generation, (uint16_t)(done.user_data >> OP_GENERATION_SHIFT));
    cr_assert(done.op->in_flight);
    recv_pool_arrive(&kernel.worker->recv_pool, flags);
    done.op->in_flight = more;
    done.op->on_complete(done.op, result, flags);
}

/* Bytes for a receive into the pool, in the next buffer of the pool. */
UNUSED static void kernel_receive(struct held *held, struct bytes bytes)
{
    static unsigned next;
    unsigned id = next++ % RECV_BUFFERS;

    CHECK(held != NULL);
    if (!held->buffered) {
        cr_assert_leq(bytes.len, held->len);
        memcpy(held->memory, bytes.data, bytes.len);
        kernel_complete(held, (int)bytes.len, 0);
        return;
    }
    cr_assert_leq(bytes.len, RECV_BUFFER_BYTES);
    memcpy(kernel.worker->recv_pool.memory + (size_t)id * RECV_BUFFER_BYTES, bytes.data, bytes.len);
    kernel_complete(held, (int)bytes.len,
                    (held->multishot ? IORING_CQE_F_MORE : 0) | IORING_CQE_F_BUFFER |
                        id << IORING_CQE_BUFFER_SHIFT);
}
