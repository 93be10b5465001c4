/* Goal: a denial is done when the other program says so, or has ended; never before. Method: the
 * other end of the channel in the same process. */
#include "server/bookings/booking_errands.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "server/bookings/bookings_handover.h"
#include "server/handover/handover_format.h"
#include "tests/unit/server/loop/uring_fixture.h"

enum { JOBS = 3, DEADLINE_MS = 30000 };

static struct booking_errands *errands;
static struct booking_job jobs[JOBS];
static int ends[2];
static _Atomic unsigned done;

static void on_done(struct booking_job *job, int result, struct ring *ring)
{
    CHECK(result == 0 && ring != NULL && job == &jobs[done]);
    done++;
}

static void open_errands(void)
{
    require_uring();
    CHECK(socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, ends) == 0);
    errands = booking_errands_open(ends[0]);
    CHECK(errands != NULL);
    done = 0;
    for (unsigned i = 0; i < JOBS; i++) {
        jobs[i] = (struct booking_job){.exp_s = i, .on_done = on_done};
        snprintf(jobs[i].booking_id, sizeof jobs[i].booking_id, "booking %u", i);
    }
}

static void close_errands(void)
{
    booking_errands_close(errands);
    close(ends[0]);
    close(ends[1]);
}

TestSuite(booking_errands, .init = open_errands, .fini = close_errands);

static void submit_all(void)
{
    for (unsigned i = 0; i < JOBS; i++) {
        cr_assert(booking_errands_submit(errands, &jobs[i]));
    }
}

static void await_done(unsigned count)
{
    for (unsigned i = 0; done < count && i < DEADLINE_MS; i++) {
        nanosleep(&(struct timespec){.tv_nsec = 1000000}, NULL);
    }
    cr_assert_eq(done, count);
}

static void expect_denial(const char *expected)
{
    uint8_t memory[1024];
    char id[TOKEN_TEXT_SIZE];
    struct handover_record record;
    size_t record_len;
    int64_t exp_s;
    ssize_t len = recv(ends[1], memory, sizeof memory, 0);

    cr_assert_gt(len, 0);
    cr_assert_eq(handover_reader_record(bytes_of(memory, (size_t)len), &record, &record_len),
                 HANDOVER_READ);
    cr_assert(bookings_handover_read_denial(&record, id, &exp_s));
    cr_assert_str_eq(id, expected);
}

static void say(uint16_t kind)
{
    uint8_t memory[64];
    struct handover_writer writer;

    handover_writer_init(&writer, memory, sizeof memory);
    handover_writer_begin(&writer, kind, 0);
    cr_assert(handover_writer_end(&writer));
    cr_assert_eq(send(ends[1], memory, writer.len, 0), writer.len);
}

Test(booking_errands, are_done_one_after_another_as_they_are_answered)
{
    submit_all();
    cr_assert_eq(done, 0);
    expect_denial("booking 0");
    expect_denial("booking 1");
    expect_denial("booking 2");
    for (unsigned i = 0; i < JOBS; i++) {
        say(HANDOVER_TOLD); /* late; each message that is no answer is none */
        cr_assert_eq(send(ends[1], "done", 4, 0), 4);
        say(HANDOVER_DONE);
        await_done(i + 1);
    }
}

Test(booking_errands, are_done_with_the_end_of_the_other_program)
{
    submit_all();
    shutdown(ends[1], SHUT_RDWR);
    await_done(JOBS);
    cr_assert_not(booking_errands_submit(errands, &jobs[0]));
}

Test(booking_errands, end_a_program_that_takes_none_any_more)
{
    char rest[2048];
    size_t count = 0;

    cr_assert_eq(fcntl(ends[0], F_SETFL, O_NONBLOCK | fcntl(ends[0], F_GETFL)), 0);
    while (send(ends[0], rest, sizeof rest, MSG_DONTWAIT) > 0) {
        count++;
    }
    cr_assert_eq(errno, EAGAIN);
    cr_assert_gt(count, 0);
    cr_assert(booking_errands_submit(errands, &jobs[0]));
    await_done(1);
    while (recv(ends[1], rest, sizeof rest, 0) > 0) {
    }
}

Test(booking_errands, answer_that_nothing_waits_for_is_none)
{
    say(HANDOVER_DONE);
    submit_all();
    shutdown(ends[1], SHUT_RDWR);
    await_done(JOBS);
}
