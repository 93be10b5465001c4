/* Goal: a transport moves bytes as far as the kernel takes them, says what to poll for, and
 * survives a peer that is gone. Method: a socketpair. */
#include "client/net/transport.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/bytes.h"

static int peer_fd;
static struct transport transport;
static struct fault fault;

static void start(void)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    transport_init(&transport);
    transport_open(&transport, fds[0]);
    peer_fd = fds[1];
}

static void stop(void)
{
    transport_close(&transport);
    if (peer_fd >= 0) {
        close(peer_fd);
    }
}

TestSuite(transport, .init = start, .fini = stop);

static void peer_close(void)
{
    close(peer_fd);
    peer_fd = -1;
}

Test(transport, what_is_read_and_written_is_counted)
{
    char data[16];

    cr_expect_eq(transport_write(&transport, "hello", 5, &fault), 5);
    cr_expect_eq(transport.bytes_sent, 5);
    cr_expect_eq(recv(peer_fd, data, sizeof data, 0), 5);
    cr_expect_eq(send(peer_fd, "abc", 3, 0), 3);
    cr_expect_eq(transport_read(&transport, data, sizeof data, &fault), 3);
    cr_expect_arr_eq(data, "abc", 3);
    cr_expect_eq(transport.bytes_received, 3);
}

Test(transport, a_read_without_bytes_waits_for_them)
{
    char data[16];

    cr_expect_eq(transport_read(&transport, data, sizeof data, &fault), -EAGAIN);
    cr_expect_eq(transport_pollfd(&transport).fd, transport.fd);
    cr_expect_eq(transport_pollfd(&transport).events, POLLIN);
}

Test(transport, a_write_into_a_full_kernel_waits_for_room)
{
    static char data[65536];
    uint64_t sent = 0;
    ssize_t step;

    while ((step = transport_write(&transport, data, sizeof data, &fault)) > 0) {
        sent += (uint64_t)step;
    }
    cr_expect_eq(step, -EAGAIN);
    cr_expect_eq(transport.bytes_sent, sent);
    cr_expect_eq(transport_pollfd(&transport).events, POLLIN | POLLOUT);
    while (recv(peer_fd, data, sizeof data, 0) > 0) {
    }
    cr_expect_gt(transport_write(&transport, data, 1, &fault), 0);
    cr_expect_eq(transport_pollfd(&transport).events, POLLIN);
}

Test(transport, the_peers_end_is_read_behind_its_bytes)
{
    char data[16];

    cr_assert_eq(send(peer_fd, "x", 1, 0), 1);
    peer_close();
    cr_expect_eq(transport_read(&transport, data, sizeof data, &fault), 1);
    cr_expect_eq(transport_read(&transport, data, sizeof data, &fault), 0);
}

/* SIGPIPE would end the test. */
Test(transport, writing_to_a_peer_that_is_gone_is_a_fault)
{
    peer_close();
    cr_expect_eq(transport_write(&transport, "x", 1, &fault), -EIO);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_CONNECT);
    cr_expect_str_eq(fault.text, "Broken pipe");
}

Test(transport, reading_goes_on_after_the_shutdown)
{
    char data[16];

    transport_shutdown(&transport);
    cr_expect_eq(recv(peer_fd, data, sizeof data, 0), 0);
    cr_assert_eq(send(peer_fd, "late", 4, 0), 4);
    cr_expect_eq(transport_read(&transport, data, sizeof data, &fault), 4);
}

Test(transport, closing_twice_is_harmless_and_leaves_nothing)
{
    char data[16];

    cr_assert_eq(transport_write(&transport, "x", 1, &fault), 1);
    transport_close(&transport);
    transport_close(&transport);
    transport_shutdown(&transport);
    cr_expect_eq(transport.fd, -1);
    cr_expect_eq(transport.bytes_sent, 0);
    cr_expect_eq(transport_unacknowledged(&transport), 0);
    cr_expect_eq(recv(peer_fd, data, sizeof data, 0), 1);
    cr_expect_eq(recv(peer_fd, data, sizeof data, 0), 0);
}
