/* Goal: requests on a connection are answered one after the other; control is for this machine; a
 * WebSocket takes the socket over. Method: the other end of a socket pair. */
#include "host/http/http_connection.h"

#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/host/control/stage.h"

struct fixture {
    struct stage stage;
    struct local_client_list clients;
    struct http_server server;
    int peer;
    char answer[4096];
};

static void setup(struct fixture *fixture, bool is_loopback)
{
    int ends[2];

    memset(fixture, 0, sizeof *fixture);
    stage_setup(&fixture->stage);
    local_client_list_init(&fixture->clients, &fixture->stage.loop, &fixture->stage.streams.feeds,
                           0);
    fixture->server = (struct http_server){.loop = &fixture->stage.loop,
                                           .feeds = &fixture->stage.streams.feeds,
                                           .control = &fixture->stage.control,
                                           .clients = &fixture->clients};
    list_init(&fixture->server.connections);
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    fixture->peer = ends[0];
    http_connection_open(&fixture->server, ends[1], is_loopback);
}

static void teardown(struct fixture *fixture)
{
    close(fixture->peer);
    http_connection_close_all(&fixture->server);
    cr_assert_eq(fixture->server.connections_count, 0);
    local_client_list_deinit(&fixture->clients);
    stage_teardown(&fixture->stage);
}

static const char *say(struct fixture *fixture, const char *text)
{
    size_t len = strlen(text);

    cr_assert_eq(write(fixture->peer, text, len), (ssize_t)len);
    loop_turn(&fixture->stage.loop, 1000);
    ssize_t got = read(fixture->peer, fixture->answer, sizeof fixture->answer - 1);

    fixture->answer[got < 0 ? 0 : got] = '\0';
    return fixture->answer;
}

static void expect_begin(const char *answer, const char *wanted)
{
    cr_assert_eq(strncmp(answer, wanted, strlen(wanted)), 0, "%s", answer);
}

Test(http_connection, answers_requests_in_turn)
{
    struct fixture fixture;

    setup(&fixture, true);
    expect_begin(say(&fixture, "GET /healthcheck HTTP/1.1\r\nHost: a\r\n\r\n"), "HTTP/1.1 200 OK");
    cr_assert_not_null(strstr(fixture.answer, "\"ok\"\n"));
    cr_assert_str_eq(say(&fixture, "POST /api/destinations HTTP/1.1\r\nHost: [::1]\r\n"), "");
    expect_begin(say(&fixture, "Expect: 100-continue\r\nContent-Length: 2\r\n\r\n"),
                 "HTTP/1.1 100 Continue");
    expect_begin(say(&fixture, "{}"), "HTTP/1.1 200 OK");
    expect_begin(say(&fixture, "nonsense\r\n"), "HTTP/1.1 400 Bad Request");
    teardown(&fixture);
}

Test(http_connection, keeps_control_for_this_machine)
{
    struct fixture fixture;

    setup(&fixture, false);
    expect_begin(say(&fixture, "GET /api/destinations/all HTTP/1.1\r\nHost: a\r\n\r\n"),
                 "HTTP/1.1 403 Forbidden");
    teardown(&fixture);
    setup(&fixture, false);
    fixture.server.settings.control_is_remote = true;
    expect_begin(say(&fixture, "GET /api/destinations/all HTTP/1.1\r\nHost: a\r\n\r\n"),
                 "HTTP/1.1 200 OK");
    teardown(&fixture);
}

Test(http_connection, bounds_publishers)
{
    struct fixture fixture;

    setup(&fixture, true);
    fixture.server.publishers_count = HTTP_SERVER_PUBLISHERS_MAX;
    expect_begin(say(&fixture, "POST /ts/v HTTP/1.1\r\nHost: a\r\nContent-Length: 1\r\n\r\n"),
                 "HTTP/1.1 503 Service Unavailable");
    teardown(&fixture);
}

Test(http_connection, publishes_and_hands_websockets_over)
{
    struct fixture fixture;

    setup(&fixture, true);
    cr_assert_str_eq(say(&fixture, "POST /ts/v HTTP/1.1\r\nHost: a\r\n"
                                   "Transfer-Encoding: chunked\r\n\r\n1\r\nx\r\n"),
                     "");
    cr_assert_eq(fixture.server.publishers_count, 1);
    expect_begin(say(&fixture, "0\r\n\r\n"), "HTTP/1.1 200 OK");
    cr_assert_eq(fixture.server.publishers_count, 0);
    expect_begin(say(&fixture, "GET /ws/v HTTP/1.1\r\nHost: a\r\nUpgrade: websocket\r\n"
                               "Connection: Upgrade\r\nSec-WebSocket-Version: 13\r\n"
                               "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"),
                 "HTTP/1.1 101 Switching Protocols");
    cr_assert_not_null(strstr(fixture.answer, "s3pPLMBiTxaQ9kYGzzhZRbK+xOo="));
    cr_assert_eq(fixture.server.connections_count, 0);
    cr_assert_eq(fixture.clients.count, 1);
    teardown(&fixture);
}
