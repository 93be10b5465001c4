/* Goal: a transport connects or says why not, and its reads and writes tell the end of a stream
 * from a pause, with and without TLS. Method: a listener on the loopback, and OpenSSL's server. */
#include "perf/load/load_transport.h"

#include <arpa/inet.h>
#include <criterion/criterion.h>
#include <errno.h>
#include <netinet/in.h>
#include <pthread.h>
#include <signal.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "tests/unit/client/net/tls_peer.h"

static int listener;
static uint16_t port;
static char error[LOAD_TRANSPORT_ERROR_SIZE];
static struct load_transport transport;

static void start(void)
{
    struct sockaddr_in address = {.sin_family = AF_INET, .sin_addr.s_addr = htonl(INADDR_LOOPBACK)};
    socklen_t len = sizeof address;

    signal(SIGPIPE, SIG_IGN); /* of the server of the test; the transport raises none */
    listener = socket(AF_INET, SOCK_STREAM, 0);
    cr_assert_eq(bind(listener, (struct sockaddr *)&address, len), 0);
    cr_assert_eq(listen(listener, 8), 0);
    cr_assert_eq(getsockname(listener, (struct sockaddr *)&address, &len), 0);
    port = ntohs(address.sin_port);
}

static void stop(void)
{
    load_transport_close(&transport);
    close(listener);
}

TestSuite(load_transport, .init = start, .fini = stop);

static struct load_transport_peer peer_of(const char *host)
{
    return (struct load_transport_peer){.host = host, .port = port, .verify_name = true};
}

Test(load_transport, connects_reads_and_writes)
{
    struct load_transport_peer peer = peer_of("localhost");
    char data[16];

    cr_assert_eq(load_transport_open(&peer, &transport, error), 0, "%s", error);
    int fd = accept(listener, NULL, NULL);

    cr_assert_geq(fd, 0);
    cr_expect_eq(transport.ops->write(&transport, "hello", 5), 5);
    cr_expect_eq(recv(fd, data, 5, MSG_WAITALL), 5);
    cr_expect_eq(send(fd, data, 5, 0), 5);
    cr_expect_eq(transport.ops->read(&transport, data, sizeof data), 5);
    cr_expect_not(transport.ops->has_pending(&transport));
    cr_assert_eq(load_transport_set_nonblocking(&transport), 0);
    cr_expect_eq(transport.ops->read(&transport, data, sizeof data), -EAGAIN);
    close(fd);
    ssize_t len;

    while ((len = transport.ops->read(&transport, data, sizeof data)) == -EAGAIN) {
    }
    cr_expect_eq(len, 0);
    load_transport_close(&transport);
    cr_expect_null(transport.ops);
    load_transport_close(&transport);
}

Test(load_transport, ends_with_a_reset)
{
    struct load_transport_peer peer = peer_of("127.0.0.1");
    char data[16];

    cr_assert_eq(load_transport_open(&peer, &transport, error), 0, "%s", error);
    int fd = accept(listener, NULL, NULL);

    load_transport_reset(&transport);
    cr_expect_null(transport.ops);
    cr_expect_eq(recv(fd, data, sizeof data, 0), -1);
    cr_expect_eq(errno, ECONNRESET);
    close(fd);
    load_transport_reset(&transport); /* a closed one */
}

static void *say_late(void *context)
{
    const int *fd = context;
    char data;

    cr_expect_eq(recv(*fd, &data, 1, 0), 0, "an end, and no reset");
    cr_expect_eq(send(*fd, "late", 4, 0), 4);
    shutdown(*fd, SHUT_WR);
    cr_expect_eq(recv(*fd, &data, 1, 0), 0, "all of it was taken");
    return NULL;
}

Test(load_transport, finishes_when_the_peer_has_said_all)
{
    struct load_transport_peer peer = peer_of("127.0.0.1");
    pthread_t thread;

    cr_assert_eq(load_transport_open(&peer, &transport, error), 0, "%s", error);
    int fd = accept(listener, NULL, NULL);

    cr_assert_eq(pthread_create(&thread, NULL, say_late, &fd), 0);
    cr_expect_eq(load_transport_finish(&transport, error), 0, "%s", error);
    cr_expect_null(transport.ops);
    pthread_join(thread, NULL);
    close(fd);
}

Test(load_transport, says_that_the_peer_does_not_end)
{
    struct load_transport_peer peer = peer_of("127.0.0.1");
    const struct linger none = {.l_onoff = 1};

    cr_assert_eq(load_transport_open(&peer, &transport, error), 0, "%s", error);
    int fd = accept(listener, NULL, NULL);

    setsockopt(fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    close(fd);
    cr_expect_eq(load_transport_finish(&transport, error), -ECONNRESET);
    cr_expect_str_eq(error, "the server does not end a connection");
    cr_expect_null(transport.ops);
}

Test(load_transport, says_that_nothing_listens)
{
    struct load_transport_peer peer = peer_of("127.0.0.1");
    char expected[128];

    close(listener);
    listener = -1;
    cr_expect_eq(load_transport_open(&peer, &transport, error), -ECONNREFUSED);
    snprintf(expected, sizeof expected, "cannot connect to 127.0.0.1:%u: Connection refused", port);
    cr_expect_str_eq(error, expected);
    cr_expect_null(transport.ops);
}

Test(load_transport, says_that_a_name_has_no_address)
{
    struct load_transport_peer peer = peer_of("no.such.host.invalid"); /* RFC 6761 §6.4 */

    cr_expect_eq(load_transport_open(&peer, &transport, error), -EADDRNOTAVAIL);
    cr_expect_eq(strncmp(error, "cannot resolve no.such.host.invalid: ", 37), 0, "%s", error);
}

/* With TLS. */

static struct tls_peer tls_peer;

static void *tls_serve(void *context)
{
    char data[5];
    size_t len;
    int fd = accept(listener, NULL, NULL);
    SSL *ssl = tls_peer_session(&tls_peer, fd);

    if (SSL_accept(ssl) == 1 && SSL_read_ex(ssl, data, sizeof data, &len) == 1) {
        SSL_write_ex(ssl, "hello, world", 12, &len);
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(fd);
    return NULL;
}

/* Opens a connection that the certificate for names may or may not be good for. */
static int tls_open(const char *host, const char *names, bool trusted, bool insecure,
                    pthread_t *ret_thread, SSL_CTX **ret_tls)
{
    struct load_transport_peer peer = peer_of(host);

    tls_peer_init(&tls_peer, names, 30);
    *ret_tls = load_transport_tls_create(trusted ? tls_peer.ca_file : NULL, insecure, error);
    cr_assert_not_null(*ret_tls, "%s", error);
    cr_assert_eq(pthread_create(ret_thread, NULL, tls_serve, NULL), 0);
    peer.tls = *ret_tls;
    peer.verify_name = !insecure;
    return load_transport_open(&peer, &transport, error);
}

static void tls_end(pthread_t thread, SSL_CTX *tls)
{
    load_transport_close(&transport);
    pthread_join(thread, NULL);
    SSL_CTX_free(tls);
    tls_peer_deinit(&tls_peer);
}

Test(load_transport, speaks_tls)
{
    pthread_t thread;
    SSL_CTX *tls;
    char data[16];

    cr_assert_eq(tls_open("localhost", "DNS:localhost", true, false, &thread, &tls), 0, "%s",
                 error);
    cr_expect_eq(transport.ops->write(&transport, "hello", 5), 5);
    cr_expect_eq(transport.ops->read(&transport, data, 5), 5);
    cr_expect(transport.ops->has_pending(&transport), "the rest of the record");
    cr_expect_eq(transport.ops->read(&transport, data, sizeof data), 7);
    cr_expect_eq(memcmp(data, ", world", 7), 0);
    cr_expect_eq(transport.ops->read(&transport, data, sizeof data), 0);
    tls_end(thread, tls);
}

/* The server reads our end and answers it, behind its tickets. */
static void *tls_serve_end(void *context)
{
    char data;
    int *received = context;
    int fd = accept(listener, NULL, NULL);
    SSL *ssl = tls_peer_session(&tls_peer, fd);

    if (SSL_accept(ssl) == 1) {
        *received = SSL_get_error(ssl, SSL_read(ssl, &data, 1));
        SSL_shutdown(ssl);
    }
    SSL_free(ssl);
    close(fd);
    return NULL;
}

static int count_ticket(SSL *ssl, SSL_SESSION *session)
{
    ++*(unsigned *)SSL_CTX_get_app_data(SSL_get_SSL_CTX(ssl));
    return 0;
}

Test(load_transport, takes_the_tickets_before_it_finishes)
{
    struct load_transport_peer peer = peer_of("localhost");
    unsigned tickets = 0;
    int received = SSL_ERROR_NONE;
    pthread_t thread;

    tls_peer_init(&tls_peer, "DNS:localhost", 30);
    peer.tls = load_transport_tls_create(tls_peer.ca_file, false, error);
    cr_assert_not_null(peer.tls, "%s", error);
    SSL_CTX_set_app_data(peer.tls, &tickets);
    SSL_CTX_set_session_cache_mode(peer.tls, SSL_SESS_CACHE_CLIENT);
    SSL_CTX_sess_set_new_cb(peer.tls, count_ticket);
    cr_assert_eq(pthread_create(&thread, NULL, tls_serve_end, &received), 0);
    cr_assert_eq(load_transport_open(&peer, &transport, error), 0, "%s", error);
    cr_expect_eq(tickets, 0);
    cr_expect_eq(load_transport_finish(&transport, error), 0, "%s", error);
    cr_expect_eq(tickets, 2, "OpenSSL's default");
    pthread_join(thread, NULL);
    cr_expect_eq(received, SSL_ERROR_ZERO_RETURN);
    SSL_CTX_free(peer.tls);
    tls_peer_deinit(&tls_peer);
}

Test(load_transport, believes_the_right_certificates_only)
{
    static const struct {
        const char *host, *names;
        bool trusted, insecure, good;
    } cases[] = {
        {"localhost", "DNS:localhost", true, false, true},
        {"127.0.0.1", "IP:127.0.0.1", true, false, true},
        {"localhost", "DNS:other.example", true, false, false},
        {"127.0.0.1", "DNS:127.0.0.1", true, false, false}, /* an address is no name */
        {"localhost", "DNS:localhost", false, false, false},
        {"localhost", "DNS:other.example", false, true, true},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        pthread_t thread;
        SSL_CTX *tls;
        int failed = tls_open(cases[i].host, cases[i].names, cases[i].trusted, cases[i].insecure,
                              &thread, &tls);

        cr_expect_eq(failed, cases[i].good ? 0 : -EPROTO, "case %zu: %s", i, error);
        if (failed != 0) {
            cr_expect_eq(strncmp(error, "TLS with ", 9), 0, "%s", error);
            cr_expect_null(transport.ops);
        }
        tls_end(thread, tls);
    }
}

Test(load_transport, says_that_certificates_cannot_be_read)
{
    cr_expect_null(load_transport_tls_create("/nowhere/ca.pem", false, error));
    cr_expect_str_eq(error, "cannot read the certificates in /nowhere/ca.pem");
}
