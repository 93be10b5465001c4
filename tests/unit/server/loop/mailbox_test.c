/* Goal: a letter arrives where it was posted to, in order, and comes back when it cannot.
 * Method: two real rings of one thread. */
#include <criterion/criterion.h>
#include <errno.h>
#include <unistd.h>

#include "server/loop/mailbox.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { WAIT_MS = 60000 };

static struct ring from, to;

static void open_rings(void)
{
    require_uring();
    cr_assert_eq(ring_open(&from, 16, 64), 0);
    cr_assert_eq(ring_open(&to, 16, 64), 0);
}

static void close_rings(void)
{
    ring_close(&from);
    ring_close(&to);
}

TestSuite(mailbox, .init = open_rings, .fini = close_rings);

static uint64_t next_letter(struct ring *ring, int *ret_result)
{
    struct io_uring_cqe *cqe;

    if (io_uring_cq_ready(&ring->uring) == 0) {
        ring_submit_and_wait(ring, WAIT_MS);
    }
    cr_assert_eq(io_uring_peek_cqe(&ring->uring, &cqe), 0, "no letter came");
    uint64_t letter = io_uring_cqe_get_data64(cqe);

    *ret_result = cqe->res;
    io_uring_cqe_seen(&ring->uring, cqe);
    return letter;
}

static void expect_nothing(struct ring *ring)
{
    ring_submit_and_wait(ring, 0);
    cr_assert_eq(io_uring_cq_ready(&ring->uring), 0);
}

Test(mailbox, delivers_in_the_order_of_posting)
{
    enum { COUNT = 1000 };
    static uint64_t items[COUNT];
    unsigned posted = 0, taken = 0;
    int result;

    while (taken < COUNT) {
        for (unsigned i = 0; i < 40 && posted < COUNT; i++) {
            mailbox_post(&from, to.uring.ring_fd, letter_pack(LETTER_PARCEL, &items[posted++], 1));
        }
        expect_nothing(&from); /* what was delivered makes no noise at the sender */
        while (taken < posted) {
            uint64_t letter = next_letter(&to, &result);

            cr_assert_eq(letter_kind(letter), LETTER_PARCEL);
            cr_assert_eq(letter_pointer(letter), &items[taken++]);
        }
    }
    expect_nothing(&to);
}

Test(mailbox, keeps_letters_that_exceed_the_receivers_queue)
{
    enum { COUNT = 500 }; /* the receiver has room for 64 completions */
    static uint64_t items[COUNT];
    int result;

    for (unsigned i = 0; i < COUNT; i++) {
        mailbox_post(&from, to.uring.ring_fd, letter_pack(LETTER_PARCEL, &items[i], 1));
    }
    expect_nothing(&from);
    for (unsigned i = 0; i < COUNT; i++) {
        cr_assert_eq(letter_pointer(next_letter(&to, &result)), &items[i], "%u", i);
    }
    expect_nothing(&to);
}

Test(mailbox, brings_a_letter_back_that_cannot_be_delivered)
{
    uint64_t item;
    int fds[2], result;

    cr_assert_eq(pipe(fds), 0);
    mailbox_post(&from, fds[0], letter_pack(LETTER_HOME, &item, 7));
    uint64_t letter = next_letter(&from, &result);

    cr_assert_lt(result, 0);
    cr_assert(letter_is(letter));
    cr_assert_neq(letter & OP_TAG_UNDELIVERED, 0);
    cr_assert_eq(letter_kind(letter), LETTER_HOME);
    cr_assert_eq(letter_target(letter), 7);
    cr_assert_eq(letter_pointer(letter), &item);
    close(fds[0]);
    close(fds[1]);
}

Test(mailbox, posts_calls_from_outside)
{
    struct call calls[3] = {0};
    int result;

    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(mailbox_post_from_outside(&from, to.uring.ring_fd, &calls[i]), 0);
    }
    for (unsigned i = 0; i < 3; i++) {
        uint64_t letter = next_letter(&to, &result);

        cr_assert_eq(letter_kind(letter), LETTER_CALL);
        cr_assert_eq(letter_pointer(letter), &calls[i]);
    }
    expect_nothing(&to);
}

Test(mailbox, says_when_a_call_from_outside_cannot_be_posted)
{
    struct call call = {0};
    int fds[2];

    cr_assert_eq(pipe(fds), 0);
    cr_assert_lt(mailbox_post_from_outside(&from, fds[0], &call), 0);
    cr_assert_eq(mailbox_post_from_outside(&from, -1, &call), -EBADF);
    cr_assert_eq(mailbox_post_from_outside(&from, to.uring.ring_fd, &call), 0, "the next one can");
    close(fds[0]);
    close(fds[1]);
}
