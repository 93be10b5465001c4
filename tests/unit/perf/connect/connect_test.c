/* Goal: all clients come, each once, and failures are counted with their first reason. Method: the
 * session is the test's; its connections are socket pairs. */
#include "perf/connect/connect.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <stdatomic.h>
#include <stdio.h>
#include <sys/socket.h>
#include <unistd.h>

enum { COUNT = 50 };

static _Atomic unsigned handshakes, joins;
static unsigned refuses_from = UINT32_MAX;

static int pair_open(struct load_transport *ret_transport)
{
    int fds[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, fds), 0);
    close(fds[1]);
    load_transport_adopt(ret_transport, fds[0]);
    return 0;
}

int load_session_handshake(const struct load_session *session, struct load_transport *ret_transport,
                           char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    handshakes++;
    return pair_open(ret_transport);
}

static int join_open(void *ctx, unsigned topic, enum connector_role role,
                     struct connection *ret_connection,
                     char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    cr_expect_eq(role, CONNECTOR_VIEWER);
    if (joins++ >= refuses_from) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "HTTP 503");
        return -EACCES;
    }
    return pair_open(&ret_connection->transport);
}

struct connector load_session_connector(struct load_session *session)
{
    return (struct connector){.ctx = session, .open = join_open};
}

static struct connect_result result;
static char error[LOAD_TRANSPORT_ERROR_SIZE];

static int come(enum connect_kind kind, pid_t pid)
{
    struct connect_config config = {
        .server = {.pids = {pid}, .count = 1}, .kind = kind, .count = COUNT, .at_once = 4};

    return connect_run(&config, &result, error);
}

Test(connect, makes_each_join_once)
{
    cr_assert_eq(come(CONNECT_JOIN, getpid()), 0, "%s", error);
    cr_expect_eq(joins, COUNT);
    cr_expect_eq(handshakes, 0);
    cr_expect_eq(result.done, COUNT);
    cr_expect_eq(result.failed, 0);
    cr_expect_eq(result.each_ns.count, COUNT);
    cr_expect_gt(result.wall_ns, 0);
    cr_expect_gt(result.server_cpu_ns, 0, "this process stands for the server");
}

Test(connect, makes_handshakes_alone)
{
    cr_assert_eq(come(CONNECT_HANDSHAKE, getpid()), 0, "%s", error);
    cr_expect_eq(handshakes, COUNT);
    cr_expect_eq(joins, 0);
    cr_expect_eq(result.done, COUNT);
}

Test(connect, counts_refusals_with_the_first_reason)
{
    refuses_from = 40;
    cr_assert_eq(come(CONNECT_JOIN, getpid()), 0, "%s", error);
    cr_expect_eq(result.done, 40);
    cr_expect_eq(result.failed, 10);
    cr_expect_str_eq(result.failure, "HTTP 503");
}

Test(connect, says_that_the_server_has_ended)
{
    cr_expect_eq(come(CONNECT_JOIN, INT32_MAX), -ESRCH);
    cr_expect_str_eq(error, "the server's process has ended");
}

Test(connect, has_a_name_for_each_kind)
{
    cr_expect_str_eq(connect_kind_text(CONNECT_HANDSHAKE), "handshake");
    cr_expect_str_eq(connect_kind_text(CONNECT_JOIN), "join");
}
