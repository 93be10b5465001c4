/* Goal: a run counts what was published and what arrived, and notices every fault of a server.
 * Method: a server of the test's own over socket pairs, in a thread, which forwards, forgets or
 * ends as told; short windows. No time is asserted. */
#include "perf/load/load.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { BYTES = 100, FRAME = BYTES + 2, VIEWERS_MAX = 4 };

/* One topic: what the publisher sends goes to each viewer, framed as it is. */
struct server {
    int publisher, viewers[VIEWERS_MAX];
    unsigned viewers_count;
    unsigned forgets;   /* this message is forwarded to no viewer; counted from 1, 0: none */
    unsigned repeats;   /* this message is forwarded twice */
    unsigned ends_at;   /* the first viewer is cut here */
    unsigned opens_max; /* connections after which it refuses; 0: never */
    unsigned opened;
    bool thread_runs;
    pthread_t thread;
};

static struct server server;
static struct load_result result;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static void forward(const uint8_t frame[static FRAME])
{
    for (unsigned i = 0; i < server.viewers_count; i++) {
        if (server.viewers[i] >= 0) {
            (void)!send(server.viewers[i], frame, FRAME, MSG_NOSIGNAL);
        }
    }
}

static void *server_run(void *context)
{
    uint8_t frame[FRAME];

    for (unsigned count = 1; recv(server.publisher, frame, FRAME, MSG_WAITALL) == FRAME; count++) {
        if (count == server.ends_at) {
            close(server.viewers[0]);
            server.viewers[0] = -1;
        }
        if (count != server.forgets) {
            forward(frame);
        }
        if (count == server.repeats) {
            forward(frame);
        }
    }
    return NULL;
}

static int server_open(void *ctx, unsigned topic, enum connector_role role,
                       struct connection *ret_connection,
                       char reason[static LOAD_TRANSPORT_ERROR_SIZE])
{
    int fds[2];

    cr_expect_eq(ctx, &server);
    if (server.opens_max > 0 && server.opened++ == server.opens_max) {
        snprintf(reason, LOAD_TRANSPORT_ERROR_SIZE, "refused");
        return -EACCES;
    }
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, fds), 0);
    load_transport_adopt(&ret_connection->transport, fds[0]);
    if (role == CONNECTOR_VIEWER) {
        cr_expect_eq(server.publisher, 0, "viewers come first");
        server.viewers[server.viewers_count++] = fds[1];
        return 0;
    }
    server.publisher = fds[1];
    cr_assert_eq(pthread_create(&server.thread, NULL, server_run, NULL), 0);
    server.thread_runs = true;
    return 0;
}

static void start(void)
{
    server = (struct server){0};
}

TestSuite(load, .init = start);

static int run(unsigned viewers, unsigned rate)
{
    struct load_config config = {
        .scenario = {.name = "test", .topics = 1, .viewers = viewers, .bytes = BYTES, .rate = rate},
        .connector = {.ctx = &server, .open = server_open},
        .warmup_ns = 10000000,
        .window_ns = 100000000,
    };
    int failed = load_run(&config, &result, error);

    if (server.thread_runs) {
        cr_assert_eq(pthread_join(server.thread, NULL), 0, "the publisher's end has come");
    }
    return failed;
}

Test(load, loses_nothing_with_an_honest_server)
{
    cr_assert_eq(run(3, 200), 0, "%s", error);
    cr_expect_gt(result.whole_run.published, 0);
    cr_expect_eq(result.whole_run.expected, 3 * result.whole_run.published);
    cr_expect_eq(result.whole_run.received, result.whole_run.expected);
    cr_expect_eq(result.whole_run.lost, 0);
    cr_expect_eq(result.whole_run.out_of_order, 0);
    cr_expect_eq(result.whole_run.closed, 0);
    cr_expect_geq(result.window_ns, 100000000);
    cr_expect_eq(result.planned, result.window_ns * 200 / 1000000000);
    cr_expect_eq(result.delivered_bytes, result.delivered * BYTES);
    cr_expect_str_eq(result.first_cut, "");
}

Test(load, counts_a_message_that_no_viewer_got)
{
    server.forgets = 1;
    cr_assert_eq(run(2, 200), 0, "%s", error);
    cr_expect_eq(result.whole_run.lost, 2);
    cr_expect_eq(result.whole_run.received, result.whole_run.expected - 2);
}

Test(load, counts_a_message_that_came_twice)
{
    server.repeats = 1;
    cr_assert_eq(run(2, 200), 0, "%s", error);
    cr_expect_eq(result.whole_run.out_of_order, 2);
}

Test(load, counts_a_viewer_that_was_cut)
{
    server.ends_at = 1;
    cr_assert_eq(run(2, 200), 0, "%s", error);
    cr_expect_eq(result.whole_run.closed, 1);
    cr_expect_eq(result.whole_run.lost, result.whole_run.published);
    cr_expect_str_eq(result.first_cut, "a viewer of topic 0: end of stream");
}

Test(load, with_idle_connections_publishes_nothing)
{
    cr_assert_eq(run(3, 0), 0, "%s", error);
    cr_expect_eq(server.viewers_count, 3);
    cr_expect_eq(result.planned, 0);
    cr_expect_eq(result.whole_run.published, 0);
    cr_expect_eq(result.whole_run.closed, 0);
    cr_expect_eq(result.whole_run.probes, 0, "this server knows no pings");
}

static void *pongs_send(void *context)
{
    static const uint8_t pong[] = {0x8a, 0};
    uint8_t ping[6];

    while (recv(server.viewers[0], ping, sizeof ping, MSG_WAITALL) == sizeof ping &&
           ping[0] == 0x89) {
        (void)!send(server.viewers[0], pong, sizeof pong, MSG_NOSIGNAL);
    }
    return NULL;
}

static int ponging_open(void *ctx, unsigned topic, enum connector_role role,
                        struct connection *ret_connection,
                        char reason[static LOAD_TRANSPORT_ERROR_SIZE])
{
    int failed = server_open(ctx, topic, role, ret_connection, reason);

    cr_assert_eq(pthread_create(&server.thread, NULL, pongs_send, NULL), 0);
    return failed;
}

Test(load, probes_idle_connections)
{
    struct load_config config = {
        .scenario = {.name = "idle", .topics = 1, .viewers = 1, .bytes = BYTES},
        .connector = {.ctx = &server, .is_masked = true, .open = ponging_open},
        .window_ns = 500000000,
    };

    cr_assert_eq(load_run(&config, &result, error), 0, "%s", error);
    cr_assert_eq(pthread_join(server.thread, NULL), 0);
    cr_expect_gt(result.whole_run.probes, 0);
    cr_expect_eq(result.whole_run.probes_answered, result.whole_run.probes);
    cr_expect_gt(result.latency_ns.count, 0);
    cr_expect_eq(result.planned, result.window_ns * LOAD_PROBES_PER_S / 1000000000);
}

/* True at the third time. */
static bool third_time(void *ctx)
{
    cr_expect_gt(server.publisher, 0, "the last to connect");
    return ++*(unsigned *)ctx == 3;
}

Test(load, waits_until_it_may_start)
{
    unsigned calls = 0;
    struct load_config config = {
        .scenario = {.name = "test", .topics = 1, .viewers = 2, .bytes = BYTES, .rate = 100},
        .connector = {.ctx = &server, .open = server_open},
        .window_ns = 50000000,
        .may_start = third_time,
        .may_start_ctx = &calls,
    };

    cr_assert_eq(load_run(&config, &result, error), 0, "%s", error);
    cr_assert_eq(pthread_join(server.thread, NULL), 0);
    cr_expect_eq(calls, 3);
    cr_expect_gt(result.whole_run.published, 0);
}

/* The first connection gets a ping, and must have answered when the second is made. */
static int pinging_open(void *ctx, unsigned topic, enum connector_role role,
                        struct connection *ret_connection,
                        char reason[static LOAD_TRANSPORT_ERROR_SIZE])
{
    static const uint8_t ping[] = {0x89, 0};
    uint8_t pong[6] = {0};

    if (server.viewers_count == 1) {
        cr_expect_eq(recv(server.viewers[0], pong, sizeof pong, MSG_DONTWAIT), sizeof pong);
        cr_expect_eq(pong[0], 0x8a);
    }
    int failed = server_open(ctx, topic, role, ret_connection, reason);

    cr_expect_eq(send(server.viewers[server.viewers_count - 1], ping, sizeof ping, 0), sizeof ping);
    return failed;
}

Test(load, answers_pings_while_others_connect)
{
    struct load_config config = {
        .scenario = {.name = "idle", .topics = 1, .viewers = 2, .bytes = BYTES},
        .connector = {.ctx = &server, .open = pinging_open},
        .window_ns = 50000000,
    };

    cr_assert_eq(load_run(&config, &result, error), 0, "%s", error);
    cr_expect_eq(result.whole_run.pings, 2);
}

Test(load, says_which_connection_was_refused)
{
    server.opens_max = 2;
    cr_expect_eq(run(3, 200), -EACCES);
    cr_expect_str_eq(error, "connection 3 of 4: refused");
}
