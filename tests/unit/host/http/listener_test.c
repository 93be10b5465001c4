/* Goal: the host listens on both families, says when a port is taken, and knows its own machine. */
#include "host/http/listener.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <unistd.h>

static int accepted_fd;
static bool accepted_is_loopback;

static void on_accepted(struct listener *listener, int fd, bool is_loopback)
{
    accepted_fd = fd;
    accepted_is_loopback = is_loopback;
}

static uint16_t free_port(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, sizeof address), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    close(fd);
    return ntohs(address.sin_port);
}

Test(listener, accepts_and_refuses_a_taken_port)
{
    struct listener listener, second;
    uint16_t port = free_port();
    struct sockaddr_in address = {
        .sin_family = AF_INET, .sin_port = htons(port), .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    struct loop loop;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(loop_open(&loop), 0);
    cr_assert_eq(listener_open(&listener, &loop, NULL, port, on_accepted), 0);
    cr_assert_eq(listener_open(&second, &loop, "127.0.0.1", port, on_accepted), -EADDRINUSE);
    cr_assert_eq(listener_open(&second, &loop, "nowhere", port, on_accepted), -EINVAL);
    cr_assert_eq(connect(fd, (struct sockaddr *)&address, sizeof address), 0);
    loop_turn(&loop, 1000);
    cr_assert_gt(accepted_fd, 0);
    cr_assert(accepted_is_loopback);
    close(accepted_fd);
    close(fd);
    listener_close(&listener);
    listener_close(&listener);
    loop_close(&loop);
}

Test(listener, knows_the_addresses_of_its_own_machine)
{
    static const struct {
        int family;
        const char *address;
        bool is_loopback;
    } cases[] = {{AF_INET, "127.0.0.1", true},         {AF_INET, "127.9.9.9", true},
                 {AF_INET, "172.17.0.1", false},       {AF_INET6, "::1", true},
                 {AF_INET6, "::ffff:127.0.0.1", true}, {AF_INET6, "::ffff:10.0.0.1", false},
                 {AF_INET6, "fe80::1", false}};

    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct sockaddr_storage storage = {.ss_family = (sa_family_t)cases[i].family};
        void *at = cases[i].family == AF_INET
                       ? (void *)&((struct sockaddr_in *)(void *)&storage)->sin_addr
                       : (void *)&((struct sockaddr_in6 *)(void *)&storage)->sin6_addr;

        cr_assert_eq(inet_pton(cases[i].family, cases[i].address, at), 1);
        cr_assert_eq(listener_is_loopback(&storage), cases[i].is_loopback, "%s", cases[i].address);
    }
}
