/* Connecting to the first address that answers. Method: real sockets on loopback; 127.0.0.x
 * addresses stand for hosts. */
#include "client/net/dialer.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <unistd.h>

static int listener(const char *host, in_port_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    inet_pton(AF_INET, host, &address.sin_addr);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(fd, 4), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = address.sin_port;
    return fd;
}

static void add(struct addresses *addresses, const char *host, in_port_t port)
{
    struct sockaddr_in *address = (struct sockaddr_in *)&addresses->items[addresses->count];

    *address = (struct sockaddr_in){.sin_family = AF_INET, .sin_port = port};
    inet_pton(AF_INET, host, &address->sin_addr);
    addresses->lens[addresses->count++] = sizeof *address;
}

/* Turns the dialer until it is done or has failed. */
static enum progress run(struct dialer *dialer, int *ret_fd, struct fault *fault)
{
    enum progress progress;
    uint64_t now_ms = 1000;

    while ((progress = dialer_advance(dialer, now_ms, ret_fd, fault)) == PROGRESS_WAIT) {
        struct pollfd fds[DIALER_SOCKETS_MAX];
        unsigned count = dialer_poll_fds(dialer, fds);

        cr_assert_gt(count, 0);
        cr_assert_geq(poll(fds, count, 10), 0);
        now_ms += 10;
        cr_assert_lt(now_ms, 20000);
    }
    return progress;
}

Test(dialer, passes_over_addresses_that_refuse)
{
    struct addresses addresses = {0};
    struct dialer dialer;
    struct fault fault;
    in_port_t port;
    int listening = listener("127.0.0.3", &port), fd = -1;
    struct sockaddr_in peer;
    socklen_t len = sizeof peer;

    add(&addresses, "127.0.0.1", port);
    add(&addresses, "127.0.0.2", port);
    add(&addresses, "127.0.0.3", port);
    dialer_start(&dialer, &addresses, 1000);
    cr_assert_eq(run(&dialer, &fd, &fault), PROGRESS_DONE);
    cr_assert_eq(getpeername(fd, (struct sockaddr *)&peer, &len), 0);
    cr_assert_eq(ntohl(peer.sin_addr.s_addr), 0x7f000003);
    close(fd);
    close(listening);
}

Test(dialer, tries_the_next_beside_one_that_does_not_answer)
{
    struct addresses addresses = {0};
    struct dialer dialer;
    struct fault fault;
    struct pollfd fds[DIALER_SOCKETS_MAX];
    in_port_t port;
    int listening = listener("127.0.0.1", &port), fd = -1;
    int full = socket(AF_INET, SOCK_STREAM, 0), fillers[4];
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_port = port};

    /* A backlog that is full does not answer. */
    inet_pton(AF_INET, "127.0.0.2", &address.sin_addr);
    cr_assert_eq(bind(full, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(listen(full, 0), 0);
    for (int i = 0; i < 4; i++) {
        fillers[i] = socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        connect(fillers[i], (struct sockaddr *)&address, sizeof address);
    }
    add(&addresses, "127.0.0.2", port);
    add(&addresses, "127.0.0.1", port);
    dialer_start(&dialer, &addresses, 1000);
    cr_assert_eq(dialer_advance(&dialer, 1000, &fd, &fault), PROGRESS_WAIT);
    cr_assert_eq(dialer_wake_ms(&dialer), 1000u + DIALER_STAGGER_MS);
    cr_assert_eq(dialer_poll_fds(&dialer, fds), 1);
    cr_assert_eq(dialer_advance(&dialer, 1249, &fd, &fault), PROGRESS_WAIT);
    cr_assert_eq(dialer_poll_fds(&dialer, fds), 1);
    cr_assert_eq(dialer_advance(&dialer, 1250, &fd, &fault), PROGRESS_WAIT);
    cr_assert_eq(dialer_poll_fds(&dialer, fds), 2);
    cr_assert_eq(dialer_wake_ms(&dialer), UINT64_MAX);
    cr_assert_eq(run(&dialer, &fd, &fault), PROGRESS_DONE);
    cr_assert_eq(dialer_poll_fds(&dialer, fds), 0);
    for (int i = 0; i < 4; i++) {
        close(fillers[i]);
    }
    close(fd);
    close(full);
    close(listening);
}

Test(dialer, names_the_last_address_when_none_answers)
{
    struct addresses addresses = {0};
    struct dialer dialer;
    struct fault fault;
    in_port_t port;
    int listening = listener("127.0.0.1", &port), fd = -1;

    close(listening);
    add(&addresses, "127.0.0.1", port);
    dialer_start(&dialer, &addresses, 0);
    cr_assert_eq(run(&dialer, &fd, &fault), PROGRESS_FAILED);
    cr_assert_eq(fault.kind, RELAY_CLIENT_FAULT_CONNECT);
    cr_assert_not_null(strstr(fault.text, "127.0.0.1 port "));
    cr_assert_not_null(strstr(fault.text, "refused"));
    cr_assert_eq(fd, -1);
}

Test(dialer, fails_without_addresses)
{
    struct addresses addresses = {0};
    struct dialer dialer;
    struct fault fault;
    int fd;

    dialer_start(&dialer, &addresses, 0);
    cr_assert_eq(dialer_advance(&dialer, 0, &fd, &fault), PROGRESS_FAILED);
    cr_assert_not_null(strstr(fault.text, "no address"));
}

Test(dialer, cancel_is_harmless_at_any_time)
{
    struct addresses addresses = {0};
    struct dialer dialer = {0};
    struct fault fault;
    in_port_t port;
    int listening = listener("127.0.0.1", &port), fd;

    dialer_cancel(&dialer);
    add(&addresses, "127.0.0.1", port);
    dialer_start(&dialer, &addresses, 0);
    dialer_cancel(&dialer);
    dialer_start(&dialer, &addresses, 0);
    enum progress progress = dialer_advance(&dialer, 0, &fd, &fault);

    cr_assert_neq(progress, PROGRESS_FAILED);
    if (progress == PROGRESS_DONE) {
        close(fd);
    }
    dialer_cancel(&dialer);
    close(listening);
}
