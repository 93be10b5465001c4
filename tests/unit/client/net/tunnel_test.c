/* Goal: the tunnel asks as RFC 9110 §9.3.6 says, believes a 2xx only, and reads no byte of what
 * follows the proxy's head. Method: a socket pair. */
#include "client/net/tunnel.h"

#include <criterion/criterion.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

struct fixture {
    struct tunnel tunnel;
    struct transport transport;
    int peer;
    struct fault fault;
};

static void setup(struct fixture *fixture, const char *credentials)
{
    struct proxy proxy = {0};
    struct url url;
    int ends[2];

    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, ends), 0);
    transport_init(&fixture->transport);
    transport_open(&fixture->transport, ends[0]);
    fixture->peer = ends[1];
    fault_clear(&fixture->fault);
    cr_assert_eq(url_parse("https://relay.example/session/x?secret", &url), URL_OK);
    snprintf(proxy.credentials, sizeof proxy.credentials, "%s", credentials);
    tunnel_start(&fixture->tunnel, &proxy, &url);
}

static void teardown(struct fixture *fixture)
{
    transport_close(&fixture->transport);
    close(fixture->peer);
}

static enum progress advance(struct fixture *fixture)
{
    return tunnel_advance(&fixture->tunnel, &fixture->transport, &fixture->fault);
}

/* After the request was sent, the proxy says this. */
static enum progress answer(struct fixture *fixture, const char *text)
{
    setup(fixture, "");
    cr_assert_eq(advance(fixture), PROGRESS_WAIT);
    cr_assert_eq(write(fixture->peer, text, strlen(text)), (ssize_t)strlen(text));
    return advance(fixture);
}

Test(tunnel, asks_for_the_host_with_credentials)
{
    struct fixture fixture;
    char text[1024] = "";

    setup(&fixture, "me:pass");
    cr_assert_eq(advance(&fixture), PROGRESS_WAIT);
    cr_assert_gt(read(fixture.peer, text, sizeof text - 1), 0);
    cr_assert_eq(
        strncmp(text, "CONNECT relay.example:443 HTTP/1.1\r\nHost: relay.example:443\r\n", 61), 0,
        "%s", text);
    cr_assert_not_null(strstr(text, "\r\nProxy-Authorization: Basic bWU6cGFzcw==\r\n"));
    cr_assert_null(strstr(text, "secret"));
    cr_assert_eq(fixture.tunnel.request[0], '\0', "wiped");
    teardown(&fixture);
}

Test(tunnel, leads_on_after_any_2xx_and_leaves_what_follows)
{
    struct fixture fixture;
    char rest[8] = "";

    cr_assert_eq(answer(&fixture, "HTTP/1.0 200 OK\r\nA: b\r\n\r\nrest"), PROGRESS_DONE);
    cr_assert_eq(transport_read(&fixture.transport, rest, sizeof rest, &fixture.fault), 4);
    cr_assert_str_eq(rest, "rest");
    teardown(&fixture);
}

Test(tunnel, reports_refusals)
{
    static const char *const cases[][2] = {
        {"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
         "the proxy refuses: 407 Proxy Authentication Required"},
        {"SSH-2.0\r\n\r\n", "the proxy's answer is not HTTP"},
    };

    for (size_t i = 0; i < 2; i++) {
        struct fixture fixture;

        cr_assert_eq(answer(&fixture, cases[i][0]), PROGRESS_FAILED);
        cr_assert_eq(fixture.fault.kind, RELAY_CLIENT_FAULT_CONNECT);
        cr_assert_str_eq(fixture.fault.text, cases[i][1]);
        teardown(&fixture);
    }
}

Test(tunnel, bounds_the_answer_and_notes_its_end)
{
    static char long_text[TUNNEL_ANSWER_BYTES_MAX + 1];
    struct fixture fixture;

    memset(long_text, 'a', TUNNEL_ANSWER_BYTES_MAX);
    cr_assert_eq(answer(&fixture, long_text), PROGRESS_FAILED);
    teardown(&fixture);
    setup(&fixture, "");
    cr_assert_eq(advance(&fixture), PROGRESS_WAIT);
    shutdown(fixture.peer, SHUT_WR);
    cr_assert_eq(advance(&fixture), PROGRESS_FAILED);
    cr_assert_str_eq(fixture.fault.text, "the proxy closed the connection");
    teardown(&fixture);
}
