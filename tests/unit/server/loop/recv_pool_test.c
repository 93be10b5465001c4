/* Goal: what peers send arrives in lent buffers whole and in order; running out of buffers is a
 * state that passes, and no buffer is ever lost.
 * Method: a real ring and a socket pair, one multishot receive. */
#include <criterion/criterion.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "server/loop/recv_pool.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { WAIT_MS = 60000 };

struct scene {
    struct ring ring;
    struct recv_pool pool;
    int fds[2]; /* [0] is received on */
    struct op op;
};

struct completion {
    int result;
    uint32_t flags;
};

static struct scene scene;

static void never(struct op *op, int result, uint32_t flags)
{
    cr_assert_fail("this test takes completions itself: %p %d %u", (void *)op, result, flags);
}

static void open_scene(void)
{
    require_uring();
    cr_assert_eq(ring_open(&scene.ring, 16, 1024), 0);
    cr_assert_eq(recv_pool_init(&scene.pool, &scene.ring), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, scene.fds), 0);
}

static void close_scene(void)
{
    close(scene.fds[0]);
    close(scene.fds[1]);
    ring_close(&scene.ring);
    recv_pool_deinit(&scene.pool);
}

TestSuite(recv_pool, .init = open_scene, .fini = close_scene);

static void start_receive(void)
{
    scene.op.in_flight = false; /* as the loop has seen its completion */
    op_init(&scene.op, never);
    struct io_uring_sqe *sqe = ring_sqe(&scene.ring, &scene.op);

    io_uring_prep_recv_multishot(sqe, scene.fds[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = RECV_POOL_GROUP;
}

static struct completion next_completion(void)
{
    struct io_uring_cqe *cqe;

    recv_pool_flush(&scene.pool);
    if (io_uring_cq_ready(&scene.ring.uring) == 0) {
        ring_submit_and_wait(&scene.ring, WAIT_MS);
    }
    cr_assert_eq(io_uring_peek_cqe(&scene.ring.uring, &cqe), 0, "nothing came");
    struct completion completion = {.result = cqe->res, .flags = cqe->flags};

    cr_assert_eq(op_pointer(io_uring_cqe_get_data64(cqe)), &scene.op);
    io_uring_cqe_seen(&scene.ring.uring, cqe);
    recv_pool_arrive(&scene.pool, completion.flags);
    return completion;
}

static void send_text(const char *text)
{
    cr_assert_eq(send(scene.fds[1], text, strlen(text), MSG_NOSIGNAL), (ssize_t)strlen(text));
}

static struct bytes claim(struct completion completion)
{
    return recv_pool_claim(&scene.pool, completion.result, completion.flags);
}

Test(recv_pool, hands_over_what_a_peer_sent)
{
    start_receive();
    for (unsigned i = 0; i < 3 * RECV_BUFFERS; i++) {
        char text[32];

        snprintf(text, sizeof text, "message %u", i);
        send_text(text);
        struct completion completion = next_completion();

        cr_assert_neq(completion.flags & IORING_CQE_F_MORE, 0, "the receive stays armed");
        cr_assert(bytes_equal_text(claim(completion), text), "%u", i);
        recv_pool_return(&scene.pool, completion.flags);
    }
}

Test(recv_pool, cuts_a_stream_into_buffers_and_loses_nothing)
{
    enum { TOTAL = 5 * RECV_BUFFER_BYTES + 123 };
    static uint8_t sent[TOTAL];
    size_t received = 0;

    for (size_t i = 0; i < sizeof sent; i++) {
        sent[i] = (uint8_t)(i * 7 + i / 256);
    }
    start_receive();
    cr_assert_eq(send(scene.fds[1], sent, sizeof sent, MSG_NOSIGNAL), (ssize_t)sizeof sent);
    while (received < sizeof sent) {
        struct completion completion = next_completion();
        struct bytes bytes = claim(completion);

        cr_assert(bytes.len > 0 && bytes.len <= RECV_BUFFER_BYTES);
        cr_assert_eq(memcmp(bytes.data, sent + received, bytes.len), 0);
        received += bytes.len;
        recv_pool_return(&scene.pool, completion.flags);
    }
    cr_assert_eq(received, sizeof sent);
}

Test(recv_pool, brings_nothing_with_the_end_of_a_stream)
{
    start_receive();
    shutdown(scene.fds[1], SHUT_WR);
    struct completion completion = next_completion();

    cr_assert_eq(completion.result, 0);
    cr_assert_eq(completion.flags & IORING_CQE_F_MORE, 0);
    cr_assert_eq(claim(completion).len, 0);
    recv_pool_return(&scene.pool, completion.flags);
    cr_assert_eq(scene.pool.returned, (completion.flags & IORING_CQE_F_BUFFER) != 0);
}

Test(recv_pool, brings_nothing_with_an_error)
{
    cr_assert_eq(recv_pool_claim(&scene.pool, -ECONNRESET, 0).len, 0);
    cr_assert_eq(recv_pool_claim(&scene.pool, -ENOBUFS, 0).len, 0);
    cr_assert_eq(recv_pool_claim(&scene.pool, 5, 0).len, 0, "no buffer, no bytes");
    recv_pool_return(&scene.pool, 0);
    cr_assert_eq(scene.pool.returned, 0);
}

Test(recv_pool, runs_out_of_buffers_and_recovers)
{
    static uint32_t kept[RECV_BUFFERS];

    start_receive();
    for (unsigned round = 0; round < 3; round++) {
        bool seen[RECV_BUFFERS] = {false};

        for (unsigned i = 0; i < RECV_BUFFERS; i++) {
            send_text("x");
            struct completion completion = next_completion();
            unsigned id = completion.flags >> IORING_CQE_BUFFER_SHIFT;

            cr_assert_eq(claim(completion).len, 1);
            cr_assert(!seen[id], "buffer %u was given out twice", id);
            seen[id] = true;
            kept[i] = completion.flags;
        }
        send_text("waiting");
        struct completion completion = next_completion();

        cr_assert_eq(completion.result, -ENOBUFS);
        cr_assert_eq(completion.flags & IORING_CQE_F_MORE, 0, "it has to be started again");
        cr_assert_eq(claim(completion).len, 0);
        for (unsigned i = 0; i < RECV_BUFFERS; i++) {
            recv_pool_return(&scene.pool, kept[i]);
        }
        recv_pool_flush(&scene.pool);
        start_receive();
        completion = next_completion();
        cr_assert(bytes_equal_text(claim(completion), "waiting"), "what the peer sent is not lost");
        recv_pool_return(&scene.pool, completion.flags);
    }
}

Test(recv_pool, shows_returned_buffers_to_the_kernel_at_the_flush)
{
    start_receive();
    send_text("a");
    struct completion completion = next_completion();

    cr_assert_eq(scene.pool.returned, 0);
    recv_pool_return(&scene.pool, completion.flags);
    cr_assert_eq(scene.pool.returned, 1);
    recv_pool_flush(&scene.pool);
    cr_assert_eq(scene.pool.returned, 0);
    recv_pool_flush(&scene.pool);
}
