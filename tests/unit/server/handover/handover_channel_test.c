/* Goal: a message arrives whole with its descriptors, or is refused with none left open; only the
 * peer is heard. Method: both ends in one process, and children that are not the peer. */
#include "server/handover/handover_channel.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>

#include "tests/unit/server/handover/channel_fixture.h"

TestSuite(handover_channel, .init = open_channel, .fini = close_channel);

static int say(uint16_t kind, const int *fds, unsigned count)
{
    handover_channel_begin(&pair.message, kind, fds, count);
    handover_writer_number(&pair.message.writer, 1, 42);
    return handover_channel_send(&pair.theirs, &pair.message, &pair.wait);
}

static int hear(void)
{
    return handover_channel_receive(&pair.ours, &pair.message, &pair.wait);
}

Test(handover_channel, message_arrives_with_its_descriptors)
{
    int fds[HANDOVER_FDS_MAX];
    uint64_t number;

    for (unsigned i = 0; i < HANDOVER_FDS_MAX; i++) {
        fds[i] = i % 2;
    }
    cr_assert_eq(say(7, fds, HANDOVER_FDS_MAX), 0);
    cr_assert_eq(hear(), 0);
    cr_assert_eq(pair.message.record.kind, 7);
    cr_assert(handover_reader_number(&pair.message.record, 1, &number));
    cr_assert_eq(number, 42);
    cr_assert_eq(pair.message.fds_count, HANDOVER_FDS_MAX);
    for (unsigned i = 0; i < HANDOVER_FDS_MAX; i++) {
        cr_assert_eq(fcntl(pair.message.fds[i], F_GETFD), FD_CLOEXEC);
    }
    handover_channel_drop(&pair.message);
    cr_assert_eq(open_descriptors(), pair.descriptors);
}

Test(handover_channel, messages_keep_their_order_and_bounds)
{
    for (uint16_t kind = 1; kind <= 20; kind++) {
        cr_assert_eq(say(kind, NULL, 0), 0);
    }
    for (uint16_t kind = 1; kind <= 20; kind++) {
        cr_assert_eq(hear(), 0);
        cr_assert_eq(pair.message.record.kind, kind);
    }
}

Test(handover_channel, fields_that_do_not_fit_are_not_sent)
{
    static const char large[HANDOVER_MESSAGE_BYTES];

    handover_channel_begin(&pair.message, 1, NULL, 0);
    handover_writer_bytes(&pair.message.writer, 1, bytes_of(large, sizeof large));
    cr_assert_eq(handover_channel_send(&pair.theirs, &pair.message, &pair.wait), -EMSGSIZE);
}

Test(handover_channel, what_is_no_message_leaves_no_descriptor)
{
    static const struct {
        const char *what;
        uint8_t bytes[32];
        size_t len;
    } rows[] = {
        {"a part of a head", {1}, 1},
        {"a record and more", {1, 0, 0, 0, 0, 0, 0, 0, 9}, 9},
        {"a record that is cut", {1, 0, 0, 0, 9, 0, 0, 0, 9}, 9},
        {"descriptors that are not there", {1, 0, 1, 0, 0, 0, 0, 0}, 8},
        {"a field out of its record", {1, 0, 0, 0, 8, 0, 0, 0, 1, 0, 0, 0, 9, 0, 0, 0}, 16},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(rows); i++) {
        cr_assert_eq(send(pair.theirs.fd, rows[i].bytes, rows[i].len, 0), (ssize_t)rows[i].len);
        cr_assert_eq(hear(), -EBADMSG, "%s", rows[i].what);
    }
    cr_assert_eq(say(3, (const int[]){0, 1}, 2), 0);
    pair.ours.peer = 1;
    cr_assert_eq(hear(), -EBADMSG);
    cr_assert_eq(open_descriptors(), pair.descriptors);
}

Test(handover_channel, another_process_is_not_heard)
{
    pid_t child = fork();

    if (child == 0) {
        _exit(say(1, NULL, 0) == 0 ? 0 : 1);
    }
    int status;

    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0);
    cr_assert_eq(hear(), -EBADMSG);
}

Test(handover_channel, message_of_another_kind_is_not_what_is_awaited)
{
    cr_assert_eq(say(1, (const int[]){0}, 1), 0);
    cr_assert_eq(handover_channel_await(&pair.ours, &pair.message, 2, &pair.wait), -EBADMSG);
    cr_assert_eq(open_descriptors(), pair.descriptors);
    cr_assert_eq(say(2, NULL, 0), 0);
    cr_assert_eq(handover_channel_await(&pair.ours, &pair.message, 2, &pair.wait), 0);
}

Test(handover_channel, end_of_the_other_side_is_told)
{
    handover_channel_close(&pair.theirs);
    cr_assert_eq(hear(), -EPIPE);
    handover_channel_begin(&pair.message, 1, NULL, 0);
    cr_assert_eq(handover_channel_send(&pair.ours, &pair.message, &pair.wait), -EPIPE);
}

Test(handover_channel, full_socket_is_waited_for_to_the_deadline)
{
    int failed = 0;

    pair.wait.deadline_ms = clock_monotonic_ms() + 50;
    for (unsigned i = 0; failed == 0 && i < 100000; i++) {
        failed = say(1, NULL, 0);
    }
    cr_assert_eq(failed, -ETIMEDOUT);
    pair.wait.deadline_ms = clock_monotonic_ms() + 20000;
    cr_assert_eq(hear(), 0);
}

/* In a child, whose parent made the socket. */
static int inherited(int fd)
{
    struct handover_channel channel;
    char text[16];

    snprintf(text, sizeof text, "%d", fd);
    setenv(HANDOVER_SOCKET, text, 1);
    int failed = handover_channel_inherit(&channel);

    return failed == 0 && (getenv(HANDOVER_SOCKET) != NULL || channel.peer != getppid()) ? 1
                                                                                         : -failed;
}

Test(handover_channel, only_a_socket_of_the_parent_is_inherited)
{
    int others[2], status;
    pid_t child = fork();

    if (child == 0) {
        int failed = inherited(pair.theirs.fd);

        failed = failed == 0 && inherited(0) != EPERM ? 2 : failed;
        failed = failed == 0 && inherited(9999) != EPERM ? 3 : failed;
        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, others) != 0 ||
            inherited(others[0]) != EPERM) {
            failed = 4; /* its own */
        }
        unsetenv(HANDOVER_SOCKET);
        struct handover_channel none;

        _exit(failed == 0 && handover_channel_inherit(&none) != -ENOENT ? 5 : failed);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(status, 0, "%d", WEXITSTATUS(status));
}
