/* Goal: a local client speaks WebSocket both ways over its socket, and is gone at its end. Method:
 * the other end of a socket pair. */
#include "host/local/local_client.h"

#include <criterion/criterion.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/host/hearer.h"

struct fixture {
    struct loop loop;
    struct feed_table feeds;
    struct local_client_list clients;
    struct hearer hearer;
    int peer;
    unsigned closed;
};

static void on_closed(struct local_client_list *clients)
{
    container_of(clients, struct fixture, clients)->closed++;
}

static void setup(struct fixture *fixture, struct bytes leftover)
{
    int ends[2];

    *fixture = (struct fixture){0};
    feed_table_init(&fixture->feeds);
    cr_assert_eq(loop_open(&fixture->loop), 0);
    local_client_list_init(&fixture->clients, &fixture->loop, &fixture->feeds, 0);
    fixture->clients.on_closed = on_closed;
    cr_assert_eq(hearer_join(&fixture->hearer, &fixture->feeds, "d"), 0);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    fixture->peer = ends[0];
    cr_assert(local_client_open(&fixture->clients, ends[1], "d", false, leftover));
}

static void teardown(struct fixture *fixture)
{
    close(fixture->peer);
    local_client_list_deinit(&fixture->clients);
    feed_leave(&fixture->hearer.member);
    feed_table_deinit(&fixture->feeds);
    loop_close(&fixture->loop);
}

static void expect_read(struct fixture *fixture, const char *wanted, size_t len)
{
    uint8_t got[64];

    loop_turn(&fixture->loop, 0);
    cr_assert_eq(read(fixture->peer, got, sizeof got), (ssize_t)len);
    cr_assert_eq(memcmp(got, wanted, len), 0);
}

Test(local_client, passes_messages_both_ways)
{
    struct fixture fixture;

    setup(&fixture, bytes_of("\x81\x82\0\0\0\0hi", 8));
    cr_assert_str_eq(fixture.hearer.heard, "hi,", "what came with the request counts");
    cr_assert_eq(write(fixture.peer, "\x82\x81\0\0\0\0x\x89\x81\0\0\0\0p", 14), 14);
    expect_read(&fixture, "\x8a\x01p", 3);
    cr_assert_str_eq(fixture.hearer.heard, "hi,x,");
    hearer_say(&fixture.hearer, &fixture.feeds, "one");
    hearer_say(&fixture.hearer, &fixture.feeds, "");
    expect_read(&fixture, "\x81\x03one\x81\x00", 7);
    teardown(&fixture);
}

Test(local_client, answers_a_close_and_goes)
{
    struct fixture fixture;

    setup(&fixture, bytes_of(NULL, 0));
    cr_assert_eq(write(fixture.peer, "\x88\x82\0\0\0\0\x03\xe8", 8), 8);
    expect_read(&fixture, "\x88\x02\x03\xe8", 4);
    cr_assert_eq(shutdown(fixture.peer, SHUT_WR), 0);
    loop_turn(&fixture.loop, 0);
    cr_assert_eq(fixture.closed, 1);
    cr_assert_eq(fixture.clients.count, 0);
    teardown(&fixture);
}

Test(local_client, is_told_when_the_host_goes)
{
    struct fixture fixture;

    setup(&fixture, bytes_of(NULL, 0));
    local_client_list_close(&fixture.clients);
    expect_read(&fixture, "\x88\x02\x03\xe9", 4);
    teardown(&fixture);
}
