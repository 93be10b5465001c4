/* Goal: the server listens where it was told, or says in one line why not and leaves nothing open.
 * Method: real sockets on loopback, at ports that the kernel chooses. */
#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <time.h>
#include <unistd.h>

#include "server/listen.h"
#include "tests/unit/descriptors.h"

enum { COUNT = 4 };

static char error[512];
static struct activation none;

static void close_all(const int *fds, unsigned count)
{
    for (unsigned i = 0; i < count; i++) {
        cr_assert_eq(close(fds[i]), 0);
    }
}

static int connect_to(const char *address, uint16_t port)
{
    struct sockaddr_in target = {.sin_family = AF_INET, .sin_port = htons(port)};
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(inet_pton(AF_INET, address, &target.sin_addr), 1);
    if (connect(fd, (struct sockaddr *)&target, sizeof target) != 0) {
        close(fd);
        return -1;
    }
    return fd;
}

static int option_of(int fd, int level, int name)
{
    int value = -1;
    socklen_t len = sizeof value;

    cr_assert_eq(getsockopt(fd, level, name, &value, &len), 0);
    return value;
}

Test(listen, takes_a_free_port_for_all_sockets_when_it_is_zero)
{
    uint16_t port = 0;
    int fds[COUNT];

    cr_assert_eq(listen_open("127.0.0.1", &port, fds, COUNT, error, sizeof error), 0, "%s", error);
    cr_assert_neq(port, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        struct sockaddr_in address;
        socklen_t len = sizeof address;

        cr_assert_eq(getsockname(fds[i], (struct sockaddr *)&address, &len), 0);
        cr_assert_eq(address.sin_family, AF_INET);
        cr_assert_eq(ntohs(address.sin_port), port);
        cr_assert_eq(ntohl(address.sin_addr.s_addr), INADDR_LOOPBACK);
        cr_assert_eq(option_of(fds[i], SOL_SOCKET, SO_ACCEPTCONN), 1);
        cr_assert_eq(option_of(fds[i], IPPROTO_TCP, TCP_NODELAY), 1);
        cr_assert_eq(option_of(fds[i], IPPROTO_TCP, TCP_NOTSENT_LOWAT), SOCKET_UNSENT_BYTES);
    }
    close_all(fds, COUNT);
}

Test(listen, accepts_on_one_of_its_sockets)
{
    uint16_t port = 0;
    int fds[COUNT];
    struct pollfd polled[COUNT];

    cr_assert_eq(listen_open("127.0.0.1", &port, fds, COUNT, error, sizeof error), 0);
    int client = connect_to("127.0.0.1", port);

    cr_assert_geq(client, 0);
    for (unsigned i = 0; i < COUNT; i++) {
        polled[i] = (struct pollfd){.fd = fds[i], .events = POLLIN};
    }
    cr_assert_eq(poll(polled, COUNT, 5000), 1);
    close(client);
    close_all(fds, COUNT);
}

Test(listen, opens_the_very_port_that_it_was_told)
{
    uint16_t port = 0, again;
    int fds[COUNT];

    cr_assert_eq(listen_open("127.0.0.1", &port, fds, 1, error, sizeof error), 0);
    close_all(fds, 1);
    again = port;
    cr_assert_eq(listen_open("127.0.0.1", &again, fds, COUNT, error, sizeof error), 0, "%s", error);
    cr_assert_eq(again, port);
    close_all(fds, COUNT);
}

Test(listen, serves_both_families_when_no_address_is_given)
{
    static const char *const addresses[] = {"", NULL};

    for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
        uint16_t port = 0;
        int fds[2];

        cr_assert_eq(listen_open(addresses[i], &port, fds, 2, error, sizeof error), 0, "%s", error);
        int client = connect_to("127.0.0.1", port);

        cr_assert_geq(client, 0, "IPv4 reaches it, whatever the family of the socket");
        close(client);
        close_all(fds, 2);
    }
}

Test(listen, serves_one_address_only_when_it_was_told)
{
    uint16_t port = 0;
    int fds[1];

    cr_assert_eq(listen_open("127.0.0.2", &port, fds, 1, error, sizeof error), 0, "%s", error);
    cr_assert_eq(connect_to("127.0.0.1", port), -1);
    int client = connect_to("127.0.0.2", port);

    cr_assert_geq(client, 0);
    close(client);
    close_all(fds, 1);
}

Test(listen, listens_on_ipv6_where_there_is_any)
{
    uint16_t port = 0;
    int fds[1];
    int failed = listen_open("::1", &port, fds, 1, error, sizeof error);

    if (failed == -EAFNOSUPPORT || failed == -EADDRNOTAVAIL) {
        fprintf(stderr, "skipped: this machine has no IPv6 loopback\n");
        cr_skip_test("this machine has no IPv6 loopback");
    }
    cr_assert_eq(failed, 0, "%s", error);
    cr_assert_eq(option_of(fds[0], SOL_SOCKET, SO_DOMAIN), AF_INET6);
    close_all(fds, 1);
}

Test(listen, does_not_share_a_port_in_silence)
{
    uint16_t port = 0;
    int fds[COUNT], others[COUNT];
    char number[8];

    cr_assert_eq(listen_open("127.0.0.1", &port, fds, COUNT, error, sizeof error), 0);
    unsigned before = open_descriptors();

    cr_assert_eq(listen_open("127.0.0.1", &port, others, COUNT, error, sizeof error), -EADDRINUSE);
    cr_assert_eq(open_descriptors(), before, "a socket was left open");
    snprintf(number, sizeof number, "%u", port);
    cr_assert_not_null(strstr(error, number), "%s", error);
    cr_assert_not_null(strstr(error, "127.0.0.1"), "%s", error);
    cr_assert_not_null(strstr(error, "another program listens there"), "%s", error);
    cr_assert_null(strchr(error, '\n'));
    cr_assert_eq(listen_open("", &port, others, COUNT, error, sizeof error), -EADDRINUSE);
    cr_assert_not_null(strstr(error, "all addresses"), "%s", error);
    close_all(fds, COUNT);
    cr_assert_eq(listen_open("127.0.0.1", &port, fds, COUNT, error, sizeof error), 0,
                 "free again: %s", error);
    close_all(fds, COUNT);
}

static void *close_soon(void *listening)
{
    const struct timespec pause = {.tv_nsec = 50 * 1000 * 1000};

    nanosleep(&pause, NULL); /* the delay is what is tested */
    close_all(listening, COUNT);
    return NULL;
}

Test(listen, port_of_one_that_is_just_ending_is_waited_for)
{
    uint16_t port = 0;
    int fds[COUNT], others[COUNT];
    pthread_t closer;

    cr_assert_eq(listen_open("127.0.0.1", &port, fds, COUNT, error, sizeof error), 0);
    cr_assert_eq(pthread_create(&closer, NULL, close_soon, fds), 0);
    cr_assert_eq(listen_open_awaited("127.0.0.1", &port, others, COUNT, error, sizeof error), 0,
                 "%s", error);
    pthread_join(closer, NULL);
    close_all(others, COUNT);
}

Test(listen, refuses_addresses_that_are_none_of_this_machine)
{
    static const struct {
        const char *address;
        int error;
    } cases[] = {{"localhost", -EINVAL},
                 {"256.0.0.1", -EINVAL},
                 {"not an address", -EINVAL},
                 {"192.0.2.1", -EADDRNOTAVAIL}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        uint16_t port = 0;
        int fds[COUNT];
        unsigned before = open_descriptors();

        cr_assert_eq(listen_open(cases[i].address, &port, fds, COUNT, error, sizeof error),
                     cases[i].error, "%s: %s", cases[i].address, error);
        cr_assert_not_null(strstr(error, cases[i].address), "%s", error);
        cr_assert_eq(open_descriptors(), before, "a socket was left open");
    }
}

static struct server_config config_of(int64_t access, int64_t relay)
{
    static char address[] = "127.0.0.1";

    return (struct server_config){
        .bind_address = address, .port_access = access, .port_relay = relay, .workers = COUNT};
}

Test(listen, opens_both_ports_for_each_worker_and_closes_them)
{
    const struct server_config config = config_of(0, 0);
    struct listen_ports ports;
    unsigned before = open_descriptors();

    cr_assert_eq(listen_ports_open(&ports, &config, &none, error, sizeof error), 0, "%s", error);
    cr_assert(!ports.is_one);
    cr_assert_neq(ports.access.number, ports.relay.number);
    cr_assert_eq(open_descriptors(), before + 2 * COUNT);
    cr_assert_eq(close(connect_to("127.0.0.1", ports.access.number)), 0);
    cr_assert_eq(close(connect_to("127.0.0.1", ports.relay.number)), 0);
    listen_ports_close(&ports);
    cr_assert_eq(open_descriptors(), before);
    listen_ports_close(&ports);
}

Test(listen, opens_one_socket_when_both_ports_are_one)
{
    struct server_config config = config_of(0, 0);
    struct listen_ports ports;
    unsigned before = open_descriptors();

    cr_assert_eq(listen_ports_open(&ports, &config, &none, error, sizeof error), 0, "%s", error);
    listen_ports_close(&ports);
    config = config_of(ports.access.number, ports.access.number);
    cr_assert_eq(listen_ports_open(&ports, &config, &none, error, sizeof error), 0, "%s", error);
    cr_assert(ports.is_one);
    cr_assert_eq(ports.access.number, ports.relay.number);
    cr_assert_eq(open_descriptors(), before + COUNT);
    listen_ports_close(&ports);
    cr_assert_eq(open_descriptors(), before);
}

Test(listen, leaves_nothing_open_when_the_second_port_is_busy)
{
    struct listen_ports first, second;
    struct server_config config = config_of(0, 0);

    cr_assert_eq(listen_ports_open(&first, &config, &none, error, sizeof error), 0, "%s", error);
    unsigned before = open_descriptors();

    config.port_relay = first.relay.number;
    cr_assert_eq(listen_ports_open(&second, &config, &none, error, sizeof error), -EADDRINUSE);
    cr_assert_not_null(strstr(error, "another program listens there"), "%s", error);
    listen_ports_close(&second);
    cr_assert_eq(open_descriptors(), before);
    listen_ports_close(&first);
}

Test(listen, leaves_to_the_workers_what_they_took)
{
    const struct server_config config = config_of(0, 0);
    struct listen_ports ports;

    cr_assert_eq(listen_ports_open(&ports, &config, &none, error, sizeof error), 0, "%s", error);
    listen_ports_forget(&ports);
    listen_ports_close(&ports);
    close_all(ports.access.fds, COUNT);
    close_all(ports.relay.fds, COUNT);
}

static struct activation pass_socket(const char *name, uint16_t *port)
{
    struct activation activation = {.count = 1};

    *port = 0;
    cr_assert_eq(listen_open("127.0.0.1", port, &activation.sockets[0].fd, 1, error, sizeof error),
                 0);
    snprintf(activation.sockets[0].name, ACTIVATION_NAME_SIZE, "%s", name);
    return activation;
}

Test(listen, shares_a_socket_of_systemd_among_the_workers)
{
    static const char *const names[] = {"access", "relay", "relay.socket"};

    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        uint16_t port;
        unsigned before = open_descriptors();
        struct activation activation = pass_socket(names[i], &port);
        const struct server_config config = config_of(port, port);
        struct listen_ports ports;

        cr_assert_eq(listen_ports_open(&ports, &config, &activation, error, sizeof error), 0, "%s",
                     error);
        cr_assert(ports.is_one && ports.access.is_shared);
        cr_assert_eq(ports.access.number, port);
        cr_assert_eq(ports.relay.number, port);
        cr_assert_eq(open_descriptors(), before + COUNT);
        for (unsigned k = 0; k < COUNT; k++) {
            cr_assert_eq(option_of(ports.access.fds[k], IPPROTO_TCP, TCP_NODELAY), 1);
            cr_assert_eq(fcntl(ports.access.fds[k], F_GETFD), FD_CLOEXEC);
        }
        cr_assert_eq(close(connect_to("127.0.0.1", port)), 0);
        listen_ports_close(&ports);
        cr_assert_eq(open_descriptors(), before);
    }
}

Test(listen, opens_the_port_that_a_socket_unit_forgot)
{
    uint16_t port;
    struct activation activation = pass_socket("relay", &port);
    const struct server_config config = config_of(0, 1); /* the name counts, not the number */
    struct listen_ports ports;

    cr_assert_eq(listen_ports_open(&ports, &config, &activation, error, sizeof error), 0, "%s",
                 error);
    cr_assert(!ports.access.is_shared && ports.relay.is_shared);
    cr_assert_eq(ports.relay.number, port);
    cr_assert_eq(close(connect_to("127.0.0.1", ports.access.number)), 0);
    listen_ports_close(&ports);
}

Test(listen, refuses_a_socket_that_no_port_takes)
{
    uint16_t port;
    struct activation activation = pass_socket("relay.socket", &port);
    const struct server_config config = config_of(0, 0);
    struct listen_ports ports;
    unsigned before = open_descriptors();

    cr_assert_eq(listen_ports_open(&ports, &config, &activation, error, sizeof error), -EINVAL);
    cr_assert_not_null(strstr(error, "RELAY_PORT_ACCESS"), "%s", error);
    cr_assert_eq(open_descriptors(), before);
    activation_close(&activation);
}
