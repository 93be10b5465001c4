/* Goal: each port finds its socket among those of systemd, by name or by number, and a socket that
 * cannot serve is refused with the cure. Method: real sockets on loopback. */
#include "server/passed_socket.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <netinet/in.h>
#include <stdbool.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

static struct activation activation;
static char error[512];

/* Returns its port. */
static uint16_t pass(const char *name, int type, bool listens)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, type | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);

    cr_assert_geq(fd, 0);
    cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    cr_assert(!listens || listen(fd, 4) == 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    struct activation_socket *passed = &activation.sockets[activation.count++];

    passed->fd = fd;
    snprintf(passed->name, sizeof passed->name, "%s", name);
    return ntohs(address.sin_port);
}

static void close_all(void)
{
    activation_close(&activation);
}

TestSuite(passed_socket, .fini = close_all);

static int take(const char *name, uint16_t *port)
{
    return passed_socket_take(&activation, name, port, error, sizeof error);
}

Test(passed_socket, is_found_by_its_name_whatever_its_port)
{
    uint16_t relay = pass("relay", SOCK_STREAM, true);
    uint16_t access = pass("access", SOCK_STREAM, true);
    uint16_t port = 1;
    int wanted = activation.sockets[1].fd;

    cr_assert_eq(take("access", &port), wanted);
    cr_assert_eq(port, access);
    cr_assert_eq(fcntl(wanted, F_GETFL) & O_NONBLOCK, 0);
    cr_assert_eq(activation.sockets[1].fd, -1);
    cr_assert_eq(take("access", &port), -ENOENT, "the other one is of relay");
    cr_assert_eq(close(take("relay", &port)), 0);
    cr_assert_eq(port, relay);
    cr_assert_eq(passed_socket_check_rest(&activation, error, sizeof error), 0);
    close(wanted);
}

Test(passed_socket, is_found_by_its_port_where_the_name_is_that_of_the_unit)
{
    uint16_t access = pass("relay.socket", SOCK_STREAM, true);
    uint16_t relay = pass("", SOCK_STREAM, true);
    uint16_t port = relay;

    cr_assert_eq(close(take("relay", &port)), 0);
    cr_assert_eq(port, relay);
    cr_assert_eq(take("relay", &port), -ENOENT);
    port = access;
    cr_assert_eq(close(take("access", &port)), 0);
}

Test(passed_socket, is_not_there_for_a_port_that_the_unit_forgot)
{
    uint16_t port = 0;

    cr_assert_eq(take("access", &port), -ENOENT);
    pass("relay", SOCK_STREAM, true);
    cr_assert_eq(take("access", &port), -ENOENT, "a free port is none of the unit");
    cr_assert_eq(port, 0);
}

Test(passed_socket, that_cannot_serve_is_refused)
{
    uint16_t port = 0;

    pass("access", SOCK_STREAM, false);
    cr_assert_eq(take("access", &port), -EINVAL);
    cr_assert_not_null(strstr(error, "Accept=no"), "%s", error);
    pass("relay", SOCK_DGRAM, false);
    cr_assert_eq(take("relay", &port), -EINVAL);
    cr_assert_null(strchr(error, '\n'));
}

Test(passed_socket, of_which_there_are_two_is_refused)
{
    uint16_t port = 0;

    pass("access", SOCK_STREAM, true);
    pass("access", SOCK_STREAM, true);
    cr_assert_eq(take("access", &port), -EINVAL);
    cr_assert_not_null(strstr(error, "two sockets"), "%s", error);
}

Test(passed_socket, of_no_port_is_named)
{
    char number[16];

    snprintf(number, sizeof number, "port %u", pass("web", SOCK_STREAM, true));
    cr_assert_eq(passed_socket_check_rest(&activation, error, sizeof error), -EINVAL);
    cr_assert_not_null(strstr(error, number), "%s", error);
    cr_assert_not_null(strstr(error, "\"web\""), "%s", error);
    cr_assert_not_null(strstr(error, "ListenStream="), "%s", error);
}
