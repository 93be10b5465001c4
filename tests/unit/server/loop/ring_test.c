/* Goal: slots never run out, waiting ends when it should, and a completion finds its operation.
 * Method: a small real ring and operations that do nothing. */
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <string.h>
#include <unistd.h>

#include "base/clock.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { ENTRIES = 8, COMPLETIONS = 4096, DEADLINE_MS = 60000 };

static struct ring ring;

static void open_ring(void)
{
    require_uring();
    cr_assert_eq(ring_open(&ring, ENTRIES, COMPLETIONS), 0);
}

static void close_ring(void)
{
    ring_close(&ring);
}

TestSuite(ring, .init = open_ring, .fini = close_ring);

static void never(struct op *op, int result, uint32_t flags)
{
    cr_assert_fail("this test takes completions itself: %p %d %u", (void *)op, result, flags);
}

/* Waits for count completions, all successful. */
static void take(unsigned count)
{
    uint64_t deadline_ms = clock_monotonic_ms() + DEADLINE_MS;

    while (count > 0) {
        struct io_uring_cqe *cqe;

        cr_assert_lt(clock_monotonic_ms(), deadline_ms, "%u completions are missing", count);
        ring_submit_and_wait(&ring, 100);
        while (io_uring_peek_cqe(&ring.uring, &cqe) == 0) {
            cr_assert_eq(cqe->res, 0);
            io_uring_cqe_seen(&ring.uring, cqe);
            cr_assert_gt(count, 0, "more completions than operations");
            count--;
        }
    }
}

Test(ring, finds_the_machine_able)
{
    char error[256] = "";

    cr_assert_eq(ring_probe(error, sizeof error), 0, "%s", error);
}

Test(ring, gives_slots_without_end_by_submitting_in_between)
{
    enum { COUNT = 50 * ENTRIES };
    static struct op ops[COUNT];

    for (unsigned i = 0; i < COUNT; i++) {
        op_init(&ops[i], never);
        io_uring_prep_nop(ring_sqe(&ring, &ops[i]));
        cr_assert(ops[i].in_flight);
    }
    take(COUNT);
}

Test(ring, names_the_operation_in_its_completion)
{
    struct op ops[3] = {0};
    struct io_uring_cqe *cqe;

    for (unsigned i = 0; i < 3; i++) {
        op_init(&ops[i], never);
        io_uring_prep_nop(ring_sqe(&ring, &ops[i]));
    }
    ring_submit_and_wait(&ring, DEADLINE_MS);
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(io_uring_peek_cqe(&ring.uring, &cqe), 0);
        uint64_t user_data = io_uring_cqe_get_data64(cqe);

        io_uring_cqe_seen(&ring.uring, cqe);
        cr_assert_eq(op_pointer(user_data), &ops[i]);
        cr_assert_eq(user_data, op_user_data(&ops[i]));
    }
}

Test(ring, tells_a_new_life_of_an_operation_from_its_last_one)
{
    struct op op = {0};

    op_init(&op, never);
    uint64_t before = op_user_data(&op);

    op_init(&op, never);
    cr_assert_neq(op_user_data(&op), before);
    cr_assert_eq(op_pointer(before), &op);
    cr_assert(!op.in_flight);
    op.generation = UINT16_MAX;
    cr_assert_eq(op_pointer(op_user_data(&op)), &op, "the generation does not reach the address");
    op_init(&op, never);
    cr_assert_eq(op.generation, 0);
}

/* In a suite without a ring, which is not reached. */
Test(ring_misuse, operation_that_is_in_flight_cannot_be_submitted_again, .signal = SIGABRT)
{
    struct op op = {0};

    op_init(&op, never);
    op.in_flight = true;
    ring_sqe(&ring, &op);
}

Test(ring, reserves_room_for_operations_that_belong_together)
{
    struct op ops[ENTRIES] = {0};

    for (unsigned used = 0; used < ENTRIES; used++) {
        for (unsigned i = 0; i < used; i++) {
            ops[i].in_flight = false; /* as the loop has seen its completion */
            op_init(&ops[i], never);
            io_uring_prep_nop(ring_sqe(&ring, &ops[i]));
        }
        ring_reserve(&ring, 3);
        cr_assert_geq(io_uring_sq_space_left(&ring.uring), 3);
        take(used);
    }
}

Test(ring, operation_in_flight_is_not_begun_anew, .signal = SIGABRT)
{
    struct op op = {0};

    op_init(&op, never);
    io_uring_prep_nop(ring_sqe(&ring, &op));
    op_init(&op, never);
}

Test(ring, waits_no_longer_than_it_was_told)
{
    uint64_t start_ms = clock_monotonic_ms();

    ring_submit_and_wait(&ring, 0);
    cr_assert_lt(clock_monotonic_ms() - start_ms, 1000);
    start_ms = clock_monotonic_ms();
    ring_submit_and_wait(&ring, 30);
    cr_assert_geq(clock_monotonic_ms() - start_ms, 29);
    cr_assert_lt(clock_monotonic_ms() - start_ms, DEADLINE_MS);
}

Test(ring, ends_its_wait_for_a_completion)
{
    struct op op = {0};
    uint64_t start_ms = clock_monotonic_ms();

    op_init(&op, never);
    io_uring_prep_nop(ring_sqe(&ring, &op));
    ring_submit_and_wait(&ring, -1);
    cr_assert_eq(io_uring_cq_ready(&ring.uring), 1);
    cr_assert_lt(clock_monotonic_ms() - start_ms, DEADLINE_MS);
}

/* Slices must stay as they are until the kernel has read them, however many are asked for. */
Test(ring, keeps_slices_until_they_are_submitted)
{
    enum { EACH = 64, ROUNDS = 3 * RING_IOVECS / EACH };
    static struct op ops[ROUNDS];
    static char bytes[EACH];
    int pipe_fds[2];
    size_t received = 0;

    cr_assert_eq(pipe2(pipe_fds, O_CLOEXEC | O_NONBLOCK), 0);
    memset(bytes, 'b', sizeof bytes);
    for (unsigned i = 0; i < ROUNDS; i++) {
        ring_reserve(&ring, 1);
        struct iovec *slices = ring_iovecs(&ring, EACH);

        for (unsigned j = 0; j < EACH; j++) {
            slices[j] = (struct iovec){.iov_base = &bytes[j], .iov_len = 1};
        }
        op_init(&ops[i], never);
        io_uring_prep_writev(ring_sqe(&ring, &ops[i]), pipe_fds[1], slices, EACH, 0);
    }
    while (received < (size_t)ROUNDS * EACH) {
        char text[4096];
        struct io_uring_cqe *cqe;
        ssize_t len;

        ring_submit_and_wait(&ring, 0);
        while (io_uring_peek_cqe(&ring.uring, &cqe) == 0) {
            cr_assert_eq(cqe->res, EACH);
            io_uring_cqe_seen(&ring.uring, cqe);
        }
        while ((len = read(pipe_fds[0], text, sizeof text)) > 0) {
            for (ssize_t i = 0; i < len; i++) {
                cr_assert_eq(text[i], 'b');
            }
            received += (size_t)len;
        }
        cr_assert(len < 0 && errno == EAGAIN);
    }
    close(pipe_fds[0]);
    close(pipe_fds[1]);
}

/* Where this kernel's own switch is not the cause, a filter is. */
static bool is_switched_off(void)
{
    FILE *file = fopen("/proc/sys/kernel/io_uring_disabled", "re");
    int first = file == NULL ? '0' : getc(file);

    if (file != NULL) {
        fclose(file);
    }
    return first != '0';
}

Test(ring, explains_each_failure_with_its_cure)
{
    const char *cure =
        is_switched_off() ? "kernel.io_uring_disabled" : "--security-opt seccomp=seccomp.json";
    const struct {
        int error;
        const char *hint;
    } cases[] = {{-EPERM, cure},         {-EACCES, cure},
                 {-ENOSYS, "Linux 6.1"}, {-ENOMEM, "LimitMEMLOCK"},
                 {-EINVAL, "Linux 6.1"}, {-EMFILE, "Too many open files"}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        char text[512], small[16];

        ring_error_text(cases[i].error, text, sizeof text);
        cr_assert_not_null(strstr(text, cases[i].hint), "%d: %s", cases[i].error, text);
        cr_assert_null(strchr(text, '\n'));
        ring_error_text(cases[i].error, small, sizeof small);
        cr_assert_eq(strlen(small), sizeof small - 1, "cut and terminated");
    }
}
