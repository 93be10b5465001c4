/* A swarm against a listener of the test's own, and the pace of its slices. */
#include "perf/neighbour/swarm.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <netinet/in.h>
#include <poll.h>
#include <pthread.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/clock.h"

enum { SLICE = 10, COUNT = 4 };

static const uint64_t ms_ns = 1000000;

Test(swarm, allowance_follows_the_pace)
{
    struct attack once = {.slices = 1};
    struct attack paced = {.interval_ms = 100};
    struct attack thrice = {.interval_ms = 100, .slices = 3};
    struct attack endless = {.interval_ms = 0};

    cr_assert_eq(swarm_allowance(&once, SLICE, 1000 * ms_ns, 0, COUNT), SLICE);
    cr_assert_eq(swarm_allowance(&endless, SLICE, 0, 0, COUNT), UINT64_MAX);
    cr_assert_eq(swarm_allowance(&paced, SLICE, 0, 0, COUNT), SLICE, "the first at once");
    cr_assert_eq(swarm_allowance(&paced, SLICE, 99 * ms_ns, 0, COUNT), SLICE);
    cr_assert_eq(swarm_allowance(&paced, SLICE, 100 * ms_ns, 0, COUNT), 2 * SLICE);
    cr_assert_eq(swarm_allowance(&paced, SLICE, 25 * ms_ns, 3, COUNT), 2 * SLICE, "spread");
    cr_assert_eq(swarm_allowance(&paced, SLICE, 24 * ms_ns, 3, COUNT), SLICE);
    cr_assert_eq(swarm_allowance(&thrice, SLICE, 1000 * ms_ns, 0, COUNT), 3 * SLICE);
}

static int listener_open(uint16_t *ret_port)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;
    int fd = socket(AF_INET, SOCK_STREAM, 0);

    cr_assert_eq(bind(fd, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(fd, 64), 0);
    cr_assert_eq(getsockname(fd, (struct sockaddr *)&address, &len), 0);
    *ret_port = ntohs(address.sin_port);
    return fd;
}

static int abc_payload(const struct load_session *session, struct payload *ret_payload)
{
    return payload_of_text("abc", 1, ret_payload);
}

struct fixture {
    struct attack_counts counts;
    struct load_session session;
    struct swarm_config config;
    int listener;
};

static struct swarm *fixture_start(struct fixture *fixture, struct attack attack)
{
    *fixture = (struct fixture){.listener = -1};
    attack.entry = ATTACK_TCP;
    attack.opens_per_s = 100000;
    attack.payload = abc_payload;
    fixture->config.attack = attack;
    fixture->config.session = &fixture->session;
    fixture->config.counts = &fixture->counts;
    fixture->listener = listener_open(&fixture->config.port);
    struct swarm *swarm = swarm_create(&fixture->config);

    cr_assert_not_null(swarm);
    return swarm;
}

static void run(struct swarm *swarm, unsigned time_ms)
{
    swarm_run(swarm, clock_monotonic_ns() + time_ms * ms_ns);
}

Test(swarm, sends_its_slices_and_is_counted)
{
    struct fixture fixture;
    struct swarm *swarm =
        fixture_start(&fixture, (struct attack){.connections = COUNT, .slices = 1});
    char text[16];
    unsigned senders = 0;

    run(swarm, 1);
    cr_assert_eq(fixture.counts.opened, COUNT);
    cr_assert_eq(fixture.counts.open_peak, COUNT);
    cr_assert_eq(fixture.counts.sent_bytes, COUNT * 3);
    for (unsigned i = 0; i < COUNT; i++) {
        int fd = accept(fixture.listener, NULL, NULL);
        ssize_t len = recv(fd, text, sizeof text, MSG_DONTWAIT);

        senders += len == 3 && memcmp(text, "abc", 3) == 0;
        close(fd);
    }
    cr_assert_eq(senders, COUNT);
    swarm_destroy(swarm);
    cr_assert_eq(fixture.counts.open, 0);
    close(fixture.listener);
}

Test(swarm, tail_begins_with_the_second_slice)
{
    struct fixture fixture;
    struct swarm *swarm = fixture_start(
        &fixture, (struct attack){.connections = 2, .slices = 1, .slice_bytes = 1, .tail = 2});
    char seen[2];

    run(swarm, 1);
    for (unsigned i = 0; i < 2; i++) {
        int fd = accept(fixture.listener, NULL, NULL);

        cr_assert_eq(recv(fd, &seen[i], 1, MSG_DONTWAIT), 1);
        close(fd);
    }
    cr_assert(seen[0] == 'a' && seen[1] == 'b');
    swarm_destroy(swarm);
    close(fixture.listener);
}

static void *answer_and_keep(void *ctx)
{
    int fd = accept(*(int *)ctx, NULL, NULL);

    (void)!send(fd, "x", 1, MSG_NOSIGNAL);
    return NULL;
}

Test(swarm, connection_that_was_answered_ends)
{
    struct fixture fixture;
    struct swarm *swarm = fixture_start(
        &fixture,
        (struct attack){.connections = 1, .slices = 1, .reads = true, .ends_at_answer = true});
    uint64_t deadline_ns = clock_monotonic_ns() + 10000 * ms_ns;
    pthread_t thread;

    pthread_create(&thread, NULL, answer_and_keep, &fixture.listener);
    while (fixture.counts.opened < 2 && clock_monotonic_ns() < deadline_ns) {
        run(swarm, 5);
    }
    cr_assert_geq(fixture.counts.opened, 2, "another has come in its place");
    cr_assert(fixture.counts.read_bytes == 1 && fixture.counts.cut == 0);
    pthread_join(thread, NULL);
    swarm_destroy(swarm);
    close(fixture.listener);
}

static void *accept_and_close(void *ctx)
{
    close(accept(*(int *)ctx, NULL, NULL));
    return NULL;
}

Test(swarm, connection_that_was_cut_is_replaced)
{
    struct fixture fixture;
    struct swarm *swarm = fixture_start(&fixture, (struct attack){.connections = 1, .slices = 1});
    uint64_t deadline_ns = clock_monotonic_ns() + 10000 * ms_ns;
    pthread_t thread;

    pthread_create(&thread, NULL, accept_and_close, &fixture.listener);
    while (fixture.counts.opened < 2 && clock_monotonic_ns() < deadline_ns) {
        run(swarm, 5);
    }
    cr_assert(fixture.counts.opened == 2 && fixture.counts.cut == 1);
    pthread_join(thread, NULL);
    swarm_destroy(swarm);
    close(fixture.listener);
}

static int refuse(void *ctx, unsigned topic, enum connector_role role,
                  struct connection *ret_connection, char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    memcpy(error, "no", sizeof "no");
    return -1;
}

Test(swarm, without_a_way_in_is_none)
{
    struct attack_counts counts = {0};
    struct load_session session = {.access_url = NULL};
    struct swarm_config config = {
        .attack = {.entry = ATTACK_MEMBERS, .connections = 2, .payload = abc_payload},
        .session = &session,
        .connector = {.open = refuse},
        .counts = &counts,
    };

    cr_assert_null(swarm_create(&config));
    cr_assert(counts.refused == 2 && strcmp(counts.error, "no") == 0);
}
