#include "server/loop/ring.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/utsname.h>
#include <unistd.h>

#include "base/check.h"

int ring_open(struct ring *ring, unsigned sq_entries, unsigned cq_entries)
{
    struct io_uring_params params = {
        .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_CQSIZE |
                 IORING_SETUP_CLAMP,
        .cq_entries = cq_entries,
    };

    *ring = (struct ring){0};
    int failed = io_uring_queue_init_params(sq_entries, &ring->uring, &params);

    if (failed != 0) {
        return failed;
    }
    ring->iovecs = calloc(RING_IOVECS, sizeof *ring->iovecs);
    if (ring->iovecs == NULL) {
        io_uring_queue_exit(&ring->uring);
        return -ENOMEM;
    }
    return 0;
}

void ring_close(struct ring *ring)
{
    if (ring->iovecs != NULL) {
        io_uring_queue_exit(&ring->uring);
        free(ring->iovecs);
        ring->iovecs = NULL;
    }
}

/* The kernel's own switch; where its file is hidden, a filter is more likely. */
static bool is_switched_off(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int first = file == NULL ? EOF : getc(file);

    if (file != NULL) {
        fclose(file);
    }
    return first == '1' || first == '2';
}

void ring_error_text(int error, char *text, size_t text_size)
{
    struct utsname system = {0};

    uname(&system);
    switch (-error) {
    case EPERM:
    case EACCES:
        snprintf(text, text_size, "io_uring is forbidden here: %s",
                 is_switched_off()
                     ? "set `sysctl kernel.io_uring_disabled` to 0 (or to 1, with this group in "
                       "kernel.io_uring_group)"
                     : "start the container with --security-opt seccomp=seccomp.json (it is in "
                       "/usr/share/relay; docs/containers.md), or allow io_uring_setup, "
                       "io_uring_enter and io_uring_register in its profile");
        break;
    case ENOSYS:
        snprintf(text, text_size,
                 "this kernel (%s) has no io_uring: it is compiled out or hidden by a sandbox; run "
                 "on Linux 6.1 or newer outside that sandbox",
                 system.release);
        break;
    case ENOMEM:
        snprintf(text, text_size,
                 "not enough locked memory for io_uring: raise the limit (ulimit -l, or "
                 "LimitMEMLOCK=64M in the systemd unit) or lower RELAY_WORKERS");
        break;
    case EINVAL:
        snprintf(text, text_size, "kernel %s is too old: Linux 6.1 or newer is needed",
                 system.release);
        break;
    default:
        snprintf(text, text_size, "io_uring cannot be set up: %s", strerror(-error));
    }
}

struct io_uring_sqe *ring_sqe_raw(struct ring *ring, uint64_t user_data)
{
    ring_reserve(ring, 1);
    struct io_uring_sqe *sqe = io_uring_get_sqe(&ring->uring);

    CHECK(sqe != NULL);
    /* prep functions of liburing 2.3 do not touch user_data, so it may be set first. */
    io_uring_sqe_set_data64(sqe, user_data);
    return sqe;
}

struct io_uring_sqe *ring_sqe(struct ring *ring, struct op *op)
{
    CHECK(!op->in_flight);
    CHECK(op->on_complete != NULL);
    op->in_flight = true;
    return ring_sqe_raw(ring, op_user_data(op));
}

/* Submits everything, even if the kernel takes only a part at a time: slices and slots are reused
 * after this. Only a shortage of kernel memory makes it try more than once. */
static void submit_now(struct ring *ring)
{
    while (io_uring_sq_ready(&ring->uring) > 0) {
        int submitted = io_uring_submit(&ring->uring);

        CHECK(submitted >= 0 || submitted == -EBUSY || submitted == -EAGAIN || submitted == -EINTR);
    }
    ring->iovecs_used = 0;
}

void ring_submit(struct ring *ring)
{
    submit_now(ring);
}

void ring_reserve(struct ring *ring, unsigned count)
{
    while (io_uring_sq_space_left(&ring->uring) < count) {
        submit_now(ring);
    }
}

struct iovec *ring_iovecs(struct ring *ring, unsigned count)
{
    CHECK(count <= RING_IOVECS);
    if (ring->iovecs_used + count > RING_IOVECS) {
        submit_now(ring);
    }
    struct iovec *iovecs = ring->iovecs + ring->iovecs_used;

    ring->iovecs_used += count;
    return iovecs;
}

void ring_submit_and_wait(struct ring *ring, int64_t timeout_ms)
{
    struct __kernel_timespec timeout = {.tv_sec = timeout_ms / 1000,
                                        .tv_nsec = timeout_ms % 1000 * 1000000};
    struct io_uring_cqe *cqe;
    int result = io_uring_submit_and_wait_timeout(&ring->uring, &cqe, 1,
                                                  timeout_ms < 0 ? NULL : &timeout, NULL);

    CHECK(result >= 0 || result == -ETIME || result == -EINTR || result == -EBUSY ||
          result == -EAGAIN);
    if (io_uring_sq_ready(&ring->uring) == 0) {
        ring->iovecs_used = 0;
    }
}

/* Waits for the completion of one tag of the probe, within a second. */
static int probe_wait(struct io_uring *uring, uint64_t tag, uint32_t *ret_flags)
{
    struct __kernel_timespec timeout = {.tv_sec = 1};

    for (int tries = 0; tries < 4; tries++) {
        struct io_uring_cqe *cqe;
        int failed = io_uring_submit_and_wait_timeout(uring, &cqe, 1, &timeout, NULL);

        if (failed < 0 && io_uring_cq_ready(uring) == 0) {
            return failed;
        }
        if (io_uring_peek_cqe(uring, &cqe) != 0) {
            continue;
        }
        int result = cqe->res;
        bool found = io_uring_cqe_get_data64(cqe) == tag;

        *ret_flags = cqe->flags;
        io_uring_cqe_seen(uring, cqe);
        if (found) {
            return result;
        }
    }
    return -ETIME;
}

enum probe_tags { PROBE_RECV = 11, PROBE_LETTER = 12, PROBE_LETTER_SENT = 13, PROBE_BUFFERS = 8 };

static int probe_buffers(struct io_uring *uring, struct io_uring_buf_ring *buffers,
                         uint8_t memory[static 64 * PROBE_BUFFERS])
{
    struct io_uring_buf_reg registration = {
        .ring_addr = (uint64_t)(uintptr_t)buffers, .ring_entries = PROBE_BUFFERS, .bgid = 1};
    int failed = io_uring_register_buf_ring(uring, &registration, 0);

    if (failed != 0) {
        return failed;
    }
    io_uring_buf_ring_init(buffers);
    for (unsigned short i = 0; i < PROBE_BUFFERS; i++) {
        io_uring_buf_ring_add(buffers, memory + 64 * i, 64, i,
                              io_uring_buf_ring_mask(PROBE_BUFFERS), i);
    }
    io_uring_buf_ring_advance(buffers, PROBE_BUFFERS);
    return 0;
}

static int probe_receive(struct io_uring *uring, int sockets[static 2])
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
    uint32_t flags = 0;

    CHECK(sqe != NULL);
    io_uring_prep_recv_multishot(sqe, sockets[0], NULL, 0, 0);
    sqe->flags |= IOSQE_BUFFER_SELECT;
    sqe->buf_group = 1;
    io_uring_sqe_set_data64(sqe, PROBE_RECV);
    if (send(sockets[1], "probe", 5, MSG_NOSIGNAL) != 5) {
        return -errno;
    }
    int result = probe_wait(uring, PROBE_RECV, &flags);

    return result < 0 ? result : result == 5 && (flags & IORING_CQE_F_BUFFER) != 0 ? 0 : -EINVAL;
}

static int probe_letter(struct io_uring *uring)
{
    struct io_uring_sqe *sqe = io_uring_get_sqe(uring);
    uint32_t flags;

    CHECK(sqe != NULL);
    io_uring_prep_msg_ring(sqe, uring->ring_fd, 0, PROBE_LETTER, 0);
    io_uring_sqe_set_data64(sqe, PROBE_LETTER_SENT);
    return probe_wait(uring, PROBE_LETTER, &flags);
}

static int probe_with_sockets(struct io_uring *uring, int sockets[static 2])
{
    static uint8_t memory[64 * PROBE_BUFFERS];
    void *page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

    if (page == MAP_FAILED) {
        return -errno;
    }
    int failed = probe_buffers(uring, page, memory);

    if (failed == 0) {
        failed = probe_receive(uring, sockets);
    }
    if (failed == 0) {
        failed = probe_letter(uring);
    }
    /* Close the ring first: the kernel may still hold the receive and its buffers. */
    io_uring_queue_exit(uring);
    munmap(page, 4096);
    return failed;
}

int ring_probe(char *error, size_t error_size)
{
    struct ring ring;
    int sockets[2];
    int failed = ring_open(&ring, 8, 16);

    if (failed != 0) {
        ring_error_text(failed, error, error_size);
        return failed;
    }
    if (socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, sockets) != 0) {
        failed = -errno;
        snprintf(error, error_size, "cannot make a socket pair: %s", strerror(-failed));
        ring_close(&ring);
        return failed;
    }
    failed = probe_with_sockets(&ring.uring, sockets);
    free(ring.iovecs);
    close(sockets[0]);
    close(sockets[1]);
    if (failed != 0) {
        ring_error_text(failed, error, error_size);
    }
    return failed;
}
