/* Goal: an opener goes from a URL to an open transport in steps that never wait, says at each what
 * it waits for, and lets go of everything when it is cancelled at any of them.
 * Method: a listener on the loopback in the same thread, so every turn is the test's own. */
#include "client/net/opener.h"

#include <fcntl.h>

#include "base/clock.h"
#include "tests/unit/client/net/loopback.h"
#include "tests/unit/client/net/tls_peer.h"

static struct loopback loopback;
static struct opener opener;
static struct transport transport;
static struct fault fault;
static struct url url;

static void start(void)
{
    loopback_open(&loopback);
    transport_init(&transport);
}

static void stop(void)
{
    opener_deinit(&opener);
    loopback_close(&loopback);
}

TestSuite(opener, .init = start, .fini = stop);

static void begin(const char *scheme, const char *ca_file)
{
    url = loopback_url(&loopback, scheme, "/");
    struct opener_target target = {.url = &url, .ca_file = ca_file};

    cr_assert_eq(opener_start(&opener, &target, &transport, &fault), PROGRESS_WAIT);
}

/* Until the opener comes to another step, is done or fails. */
static enum progress advance(void)
{
    enum opener_step step = opener.step;
    enum progress progress = PROGRESS_WAIT;
    uint64_t end_ms = clock_monotonic_ms() + LOOPBACK_PATIENCE_MS;

    while (progress == PROGRESS_WAIT && opener.step == step && clock_monotonic_ms() < end_ms) {
        struct pollfd fds[OPENER_FDS_MAX];
        unsigned count = opener_poll_fds(&opener, fds);

        poll(fds, count, 100);
        progress = opener_advance(&opener, clock_monotonic_ms(), &fault);
    }
    return progress;
}

static enum progress advance_to_end(void)
{
    enum progress progress;

    do {
        enum opener_step step = opener.step;

        progress = advance();
        cr_assert(progress != PROGRESS_WAIT || opener.step != step, "no progress");
    } while (progress == PROGRESS_WAIT);
    return progress;
}

Test(opener, a_plain_url_leads_to_a_connected_socket)
{
    char data[8];

    begin("http", NULL);
    cr_expect_str_eq(opener_missing(&opener), "address for the host name");
    cr_expect_eq(opener_wake_ms(&opener), UINT64_MAX);
    cr_assert_eq(advance_to_end(), PROGRESS_DONE, "%s", fault.text);
    int peer_fd = loopback_accept(&loopback);

    cr_assert_geq(peer_fd, 0);
    cr_expect_eq(transport_write(&transport, "x", 1, &fault), 1);
    cr_expect_eq(recv(peer_fd, data, sizeof data, 0), 1);
    cr_expect_eq(opener_poll_fds(&opener, &(struct pollfd){0}), 0);
    cr_expect(!transport.encrypted);
    close(peer_fd);
}

Test(opener, a_refused_connection_is_named)
{
    char expected[64];

    begin("http", NULL);
    loopback_close(&loopback);
    cr_expect_eq(advance_to_end(), PROGRESS_FAILED);
    snprintf(expected, sizeof expected, "127.0.0.1 port %u: Connection refused", url.port);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_CONNECT);
    cr_expect_str_eq(fault.text, expected);
    cr_expect_eq(transport.fd, -1);
}

/* The server's half of the handshake is the test's turn. */
static void open_tls(const struct tls_peer *peer)
{
    enum progress progress = PROGRESS_WAIT;

    begin("https", peer->ca_file);
    while (opener.step != OPENER_TLS) {
        cr_assert_eq(advance(), PROGRESS_WAIT, "%s", fault.text);
    }
    cr_expect_str_eq(opener_missing(&opener), "end of the TLS handshake");
    int peer_fd = loopback_accept(&loopback);
    SSL *ssl = tls_peer_session(peer, peer_fd);

    cr_assert_eq(fcntl(peer_fd, F_SETFL, O_NONBLOCK), 0);
    for (int i = 0; i < 100 && progress == PROGRESS_WAIT; i++) {
        struct pollfd fds[OPENER_FDS_MAX];

        SSL_do_handshake(ssl);
        cr_expect_eq(opener_poll_fds(&opener, fds), 1);
        poll(fds, 1, 100);
        progress = opener_advance(&opener, clock_monotonic_ms(), &fault);
    }
    cr_expect_eq(progress, PROGRESS_DONE, "%s", fault.text);
    cr_expect(transport.encrypted);
    SSL_free(ssl);
    close(peer_fd);
}

Test(opener, trust_is_read_once_until_it_is_forgotten)
{
    struct tls_peer peer;

    tls_peer_init(&peer, "IP:127.0.0.1", 1);
    open_tls(&peer);
    const SSL_CTX *first = opener.tls.ssl_context;

    cr_expect_not_null(first);
    opener_cancel(&opener);
    cr_expect_eq(transport.fd, -1);
    open_tls(&peer);
    cr_expect_eq(opener.tls.ssl_context, first);
    opener_cancel(&opener);
    opener_forget_trust(&opener);
    cr_expect_null(opener.tls.ssl_context);
    tls_peer_deinit(&peer);
}

Test(opener, a_ca_file_that_is_missing_ends_it_before_the_handshake)
{
    begin("https", "/nonexistent/ca.pem");
    cr_expect_eq(advance_to_end(), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TLS);
    opener_cancel(&opener);
    cr_expect_eq(transport.fd, -1);
}

Test(opener, it_can_be_cancelled_and_started_anew_at_any_step)
{
    opener_cancel(&opener);
    begin("http", NULL);
    opener_cancel(&opener);
    begin("http", NULL);
    cr_assert_eq(advance_to_end(), PROGRESS_DONE, "%s", fault.text);
    opener_cancel(&opener);
    cr_expect_eq(transport.fd, -1);
    begin("http", NULL);
    cr_expect_eq(advance_to_end(), PROGRESS_DONE, "%s", fault.text);
}
