/* Goal: viewers come at their times, see a message and leave, and faults are counted. Method: a
 * connector that makes socket pairs with a message in them already. */
#include "perf/churn/churn.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

enum { RECORD = 100, TOPICS = 3 };

enum first { FIRST_IN_SOCKET, FIRST_EARLY, FIRST_NONE, FIRST_BAD, FIRST_NEVER };

static enum first first;
static _Atomic unsigned opened, topics_seen[TOPICS];
static unsigned refuses_from;
static int silent_peers[16];
static _Atomic unsigned silent_count;

static void start(void)
{
    refuses_from = UINT32_MAX;
}

TestSuite(churn, .init = start);

static int hall_open(void *ctx, unsigned topic, enum connector_role role,
                     struct connection *ret_connection,
                     char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    uint8_t frame[2 + RECORD] = {first == FIRST_BAD ? 0xff : 0x82, RECORD};
    int fds[2];

    cr_assert_eq(role, CONNECTOR_VIEWER);
    topics_seen[topic]++;
    if (opened++ >= refuses_from) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "HTTP 503");
        return -EACCES;
    }
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    if (first == FIRST_EARLY) {
        memcpy(ret_connection->early, frame, sizeof frame);
        ret_connection->early_len = sizeof frame;
    } else if (first == FIRST_IN_SOCKET || first == FIRST_BAD) {
        cr_assert_eq(send(fds[1], frame, sizeof frame, 0), sizeof frame);
    }
    if (first == FIRST_NEVER) {
        const struct timeval limit = {.tv_usec = 1000};

        cr_assert_eq(setsockopt(fds[0], SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit), 0);
        silent_peers[silent_count++] = fds[1];
    } else {
        close(fds[1]);
    }
    load_transport_adopt(&ret_connection->transport, fds[0]);
    return 0;
}

static struct churn_counts come(unsigned rate, uint64_t window_ns)
{
    struct churn_config config = {.connector = {.open = hall_open},
                                  .topics = TOPICS,
                                  .record_bytes = RECORD,
                                  .every_ns = 1000000,
                                  .rate = rate,
                                  .window_ns = window_ns};
    struct churn *churn = churn_start(&config);
    struct churn_counts counts;

    cr_assert_not_null(churn);
    churn_go(churn);
    churn_end(churn, &counts);
    return counts;
}

Test(churn, comes_for_as_long_as_the_window)
{
    struct churn_counts counts = come(300, 100000000);

    cr_expect_eq(counts.came, 30);
    cr_expect_eq(counts.failed, 0);
    cr_expect_eq(counts.join_ns.count, 30);
    cr_expect_eq(counts.first_ns.count, 30);
    for (unsigned i = 0; i < TOPICS; i++) {
        cr_expect_eq(topics_seen[i], 10);
    }
}

Test(churn, takes_a_message_that_came_with_the_upgrade)
{
    first = FIRST_EARLY;
    cr_expect_eq(come(1000, 10000000).came, 10);
}

Test(churn, counts_viewers_without_a_message)
{
    first = FIRST_NONE;
    struct churn_counts counts = come(1000, 10000000);

    cr_expect_eq(counts.failed, 10);
    cr_expect_str_eq(counts.failure, "no message came to a viewer");
    first = FIRST_BAD;
    cr_expect_eq(come(1000, 10000000).failed, 10);
}

static void close_silent_peers(void)
{
    while (silent_count > 0) {
        close(silent_peers[--silent_count]);
    }
}

Test(churn, blames_the_server_only_where_there_was_time)
{
    first = FIRST_NEVER;
    struct churn_counts counts = come(1000, 10000000);

    cr_expect_eq(counts.unserved, 10);
    cr_expect_eq(counts.failed, 0);
    close_silent_peers();
    counts = come(1, 2000000000); /* the first has two seconds, the other one */
    cr_expect_eq(counts.unserved + counts.failed, 2);
    cr_expect_geq(counts.failed, 1);
    cr_expect_str_eq(counts.failure, "no message came to a viewer");
    close_silent_peers();
}

Test(churn, counts_refusals_with_the_first_reason)
{
    refuses_from = 7;
    struct churn_counts counts = come(1000, 10000000);

    cr_expect_eq(counts.came, 7);
    cr_expect_eq(counts.failed, 3);
    cr_expect_str_eq(counts.failure, "HTTP 503");
}

Test(churn, that_never_begins_ends)
{
    struct churn_config config = {.topics = 1, .rate = 1, .window_ns = UINT64_MAX};
    struct churn *churn = churn_start(&config);
    struct churn_counts counts;

    churn_end(churn, &counts);
    cr_expect_eq(counts.came + counts.failed, 0);
}
