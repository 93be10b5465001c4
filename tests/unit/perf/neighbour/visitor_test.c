/* A visitor of a place where nothing is served, and of one that never answers. */
#include "perf/neighbour/visitor.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { DEADLINE_MS = 10000, WAIT_MS = 30 };

static int bound_open(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM | SOCK_CLOEXEC, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

struct place {
    int fd;
    struct token_keys *keys;
    char url[64];
    struct load_session session;
};

static void place_open(struct place *place)
{
    uint16_t port;

    place->fd = bound_open(&port);
    place->keys = token_keys_create("a secret of the test");
    snprintf(place->url, sizeof place->url, "http://127.0.0.1:%u", port);
    place->session = (struct load_session){
        .access_url = place->url, .audience = place->url, .keys = place->keys, .token_life_s = 60};
}

static void place_close(struct place *place)
{
    token_keys_destroy(place->keys);
    close(place->fd);
}

Test(visitor, counts_what_fails)
{
    struct place place;
    struct visitor visitor;
    struct visit_result results[VISIT_COUNT];

    place_open(&place);
    cr_assert_eq(visitor_start(&visitor, &place.session, -1), 0);
    child_go(&visitor.child);
    poll(NULL, 0, 10 * WAIT_MS); /* refusals need no more than their time */
    visitor_end(&visitor, results);
    cr_assert_gt(results[VISIT_JOIN].count, 0);
    cr_assert_eq(results[VISIT_JOIN].failed, results[VISIT_JOIN].count);
    cr_assert_neq(results[VISIT_JOIN].failure[0], '\0');
    place_close(&place);
}

Test(visitor, waiting_counts_as_long_as_it_takes)
{
    struct place place;
    struct visitor visitor;
    struct visit_result results[VISIT_COUNT];

    place_open(&place);
    cr_assert_eq(listen(place.fd, 8), 0);
    struct pollfd waiting = {.fd = place.fd, .events = POLLIN};

    cr_assert_eq(visitor_start(&visitor, &place.session, -1), 0);
    child_go(&visitor.child);
    cr_assert_eq(poll(&waiting, 1, DEADLINE_MS), 1, "it joins");
    poll(NULL, 0, WAIT_MS);
    visitor_end(&visitor, results);
    cr_assert_eq(results[VISIT_JOIN].count, 0);
    cr_assert_geq(results[VISIT_JOIN].worst_ns, (uint64_t)WAIT_MS * 1000000);
    cr_assert_eq(results[VISIT_DENY].worst_ns, 0);
    place_close(&place);
}

Test(visitor, visits_have_names)
{
    cr_assert_str_eq(visitor_visit_text(VISIT_JOIN), "join");
    cr_assert_str_eq(visitor_visit_text(VISIT_STATUS), "status");
    cr_assert_str_eq(visitor_visit_text(VISIT_DENY), "deny");
}
