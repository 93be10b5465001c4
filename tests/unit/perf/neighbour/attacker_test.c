/* An attacker of one connection, against a listener of the test's own. */
#include "perf/neighbour/attacker.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <poll.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000 };

static int hello_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_text("hello", 1, ret_payload);
}

static bool readable(int fd, int time_ms)
{
    struct pollfd poll_fd = {.fd = fd, .events = POLLIN};

    return poll(&poll_fd, 1, time_ms) == 1;
}

static int listener_open(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(fd, 8), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

Test(attacker, attacks_when_told_until_it_is_ended)
{
    struct attacker_config config = {
        .attack = {.entry = ATTACK_TCP,
                   .connections = 1,
                   .opens_per_s = 100,
                   .reads = true,
                   .payload = hello_payload,
                   .slices = 1},
        .cpu = -1,
    };
    int listener = listener_open(&config.port);
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    char text[16];
    struct attacker attacker;

    cr_assert_eq(attacker_start(&attacker, &config, error), 0);
    cr_assert_eq(attacker.counts->opened, 0, "it waits");
    child_go(&attacker.child);
    cr_assert(readable(listener, DEADLINE_MS));
    int fd = accept(listener, NULL, NULL);

    cr_assert(readable(fd, DEADLINE_MS));
    cr_assert_eq(recv(fd, text, sizeof text, 0), 5);
    attacker_end(&attacker);
    cr_assert_eq(attacker.counts->opened, 1, "the counts are kept");
    cr_assert(readable(fd, DEADLINE_MS), "its connection has ended with it");
    cr_assert_leq(recv(fd, text, sizeof text, 0), 0);
    attacker_release(&attacker);
    cr_assert_null(attacker.counts);
    attacker_release(&attacker);
    close(fd);
    close(listener);
}

Test(attacker, without_a_way_in_says_why)
{
    struct attacker_config config = {
        .attack = {.entry = ATTACK_MEMBERS, .connections = 1, .payload = hello_payload},
        .session = {.connect_url = "gopher://x"},
        .cpu = -1,
    };
    char error[LOAD_TRANSPORT_ERROR_SIZE];
    struct attacker attacker;

    cr_assert_eq(attacker_start(&attacker, &config, error), -ECHILD);
    cr_assert_str_eq(error, "the attacker found no way in: not a WebSocket address");
    attacker_release(&attacker);
}
