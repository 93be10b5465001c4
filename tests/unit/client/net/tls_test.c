/* Goal: a session carries bytes when the certificate is right, and says in one sentence what is
 * wrong when it is not. Method: OpenSSL's server at the other end of a socketpair, each taking its
 * turn. */
#include "client/net/tls.h"

#include <errno.h>
#include <poll.h>
#include <sys/socket.h>

#include "tests/unit/client/net/tls_peer.h"

enum { TURNS_MAX = 100 };

static int fds[2]; /* the client's, the server's */
static struct tls_peer peer;
static SSL *server;
static struct tls_context context;
static struct tls_session session;
static struct fault fault;
static short events;

static void start(void)
{
    cr_assert_eq(socketpair(AF_UNIX, SOCK_STREAM | SOCK_NONBLOCK, 0, fds), 0);
    tls_peer_init(&peer, "DNS:one.example", 1);
    server = tls_peer_session(&peer, fds[1]);
}

static void stop(void)
{
    tls_session_deinit(&session);
    tls_context_deinit(&context);
    SSL_free(server);
    tls_peer_deinit(&peer);
    close(fds[0]);
    if (fds[1] >= 0) {
        close(fds[1]);
    }
}

TestSuite(tls, .init = start, .fini = stop);

static enum progress handshake(const char *host, const char *ca_file, bool insecure)
{
    struct url url = {.tls = true};
    enum progress progress = PROGRESS_WAIT;

    snprintf(url.host, sizeof url.host, "%s", host);
    cr_assert_eq(tls_context_init(&context, ca_file, insecure, &fault), PROGRESS_DONE, "%s",
                 fault.text);
    cr_assert_eq(tls_session_init(&session, &context, fds[0], &url, &fault), PROGRESS_DONE);
    for (int i = 0; i < TURNS_MAX && progress == PROGRESS_WAIT; i++) {
        progress = tls_session_handshake(&session, &events, &fault);
        SSL_do_handshake(server);
    }
    return progress;
}

static void expect_refusal(const char *text)
{
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TLS);
    cr_expect_str_eq(fault.text, text);
}

Test(tls, a_certificate_that_is_named_is_trusted_and_bytes_go_both_ways)
{
    char data[8] = "";

    cr_assert_eq(handshake("one.example", peer.ca_file, false), PROGRESS_DONE, "%s", fault.text);
    cr_expect_eq(tls_session_write(&session, "ping", 4, &events, &fault), 4);
    cr_expect_gt(session.bytes_sent, 4);
    cr_expect_eq(SSL_read(server, data, sizeof data), 4);
    cr_expect_arr_eq(data, "ping", 4);
    cr_expect_eq(tls_session_read(&session, data, sizeof data, &events, &fault), -EAGAIN);
    cr_expect_eq(events, POLLIN);
    cr_expect_eq(SSL_write(server, "pong!", 5), 5);
    cr_expect_eq(tls_session_read(&session, data, sizeof data, &events, &fault), 5);
    cr_expect_arr_eq(data, "pong!", 5);
}

Test(tls, an_end_with_close_notify_is_an_end)
{
    char data[8];

    cr_assert_eq(handshake("one.example", peer.ca_file, false), PROGRESS_DONE);
    SSL_shutdown(server);
    cr_expect_eq(tls_session_read(&session, data, sizeof data, &events, &fault), 0);
}

Test(tls, our_shutdown_says_close_notify)
{
    char data[8];

    cr_assert_eq(handshake("one.example", peer.ca_file, false), PROGRESS_DONE);
    tls_session_shutdown(&session);
    cr_expect_leq(SSL_read(server, data, sizeof data), 0);
    cr_expect_eq(SSL_get_shutdown(server), SSL_RECEIVED_SHUTDOWN);
}

Test(tls, a_certificate_for_another_name)
{
    cr_expect_eq(handshake("two.example", peer.ca_file, false), PROGRESS_FAILED);
    expect_refusal("certificate of two.example is for one.example");
}

/* RFC 9525 §6: an address is compared with addresses only. */
Test(tls, a_certificate_for_a_name_is_not_for_an_address)
{
    cr_expect_eq(handshake("127.0.0.1", peer.ca_file, false), PROGRESS_FAILED);
    expect_refusal("certificate of 127.0.0.1 is for one.example");
}

Test(tls, a_certificate_that_is_not_trusted)
{
    struct tls_peer other;

    tls_peer_init(&other, "DNS:one.example", 1);
    cr_expect_eq(handshake("one.example", other.ca_file, false), PROGRESS_FAILED);
    expect_refusal("certificate of one.example is self-signed; name it as the CA file to trust it");
    tls_peer_deinit(&other);
}

Test(tls, an_expired_certificate)
{
    SSL_free(server);
    tls_peer_deinit(&peer);
    tls_peer_init(&peer, "DNS:one.example", -1);
    server = tls_peer_session(&peer, fds[1]);
    cr_expect_eq(handshake("one.example", peer.ca_file, false), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TLS);
    cr_expect_not_null(strstr(fault.text, "certificate of one.example expired on 20"));
}

Test(tls, without_verification_any_certificate_will_do)
{
    cr_expect_eq(handshake("two.example", NULL, true), PROGRESS_DONE, "%s", fault.text);
}

Test(tls, a_ca_file_that_is_missing_is_named)
{
    cr_expect_eq(tls_context_init(&context, "/nonexistent/ca.pem", false, &fault), PROGRESS_FAILED);
    cr_expect_eq(fault.kind, RELAY_CLIENT_FAULT_TLS);
    cr_expect_not_null(strstr(fault.text, "CA file /nonexistent/ca.pem: "), "%s", fault.text);
    cr_expect_null(context.ssl_context);
}

Test(tls, a_port_without_tls)
{
    static const char answer[] = "HTTP/1.1 400 Bad Request\r\n\r\n";

    cr_assert_eq(send(fds[1], answer, sizeof answer - 1, 0), sizeof answer - 1);
    cr_expect_eq(handshake("one.example", peer.ca_file, false), PROGRESS_FAILED);
    expect_refusal("this port does not speak TLS");
}

Test(tls, a_server_that_goes_away_in_the_handshake)
{
    close(fds[1]);
    fds[1] = -1;
    cr_expect_eq(handshake("one.example", peer.ca_file, false), PROGRESS_FAILED);
    cr_expect_neq(fault.text[0], '\0');
}
