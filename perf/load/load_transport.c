#include "perf/load/load_transport.h"

#include <arpa/inet.h>
#include <errno.h>
#include <fcntl.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <openssl/err.h>
#include <openssl/ssl.h>
#include <openssl/x509v3.h>
#include <stdio.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/time.h>
#include <unistd.h>

#include "base/check.h"

static ssize_t plain_read(struct load_transport *transport, void *data, size_t size)
{
    ssize_t len = recv(transport->fd, data, size, 0);

    return len < 0 ? -errno : len;
}

static ssize_t plain_write(struct load_transport *transport, const void *data, size_t len)
{
    ssize_t sent = send(transport->fd, data, len, MSG_NOSIGNAL);

    return sent < 0 ? -errno : sent;
}

static bool plain_has_pending(const struct load_transport *transport)
{
    return false;
}

static const struct load_transport_ops plain_ops = {
    .read = plain_read,
    .write = plain_write,
    .has_pending = plain_has_pending,
};

static ssize_t tls_result(const struct load_transport *transport, int result)
{
    int code = SSL_get_error(transport->ssl, result);
    int system_error = errno;

    ERR_clear_error();
    switch (code) {
    case SSL_ERROR_WANT_READ:
    case SSL_ERROR_WANT_WRITE:
        return -EAGAIN;
    case SSL_ERROR_ZERO_RETURN:
        return 0;
    case SSL_ERROR_SYSCALL:
        return system_error != 0 ? -system_error : -ECONNRESET;
    default:
        return -EPROTO;
    }
}

static ssize_t tls_read(struct load_transport *transport, void *data, size_t size)
{
    size_t len;

    errno = 0;
    int result = SSL_read_ex(transport->ssl, data, size, &len);

    return result == 1 ? (ssize_t)len : tls_result(transport, result);
}

static ssize_t tls_write(struct load_transport *transport, const void *data, size_t len)
{
    size_t sent;

    errno = 0;
    int result = SSL_write_ex(transport->ssl, data, len, &sent);

    return result == 1 ? (ssize_t)sent : tls_result(transport, result);
}

static bool tls_has_pending(const struct load_transport *transport)
{
    return SSL_has_pending(transport->ssl) == 1;
}

static const struct load_transport_ops tls_ops = {
    .read = tls_read,
    .write = tls_write,
    .has_pending = tls_has_pending,
};

static int socket_limit_time(int fd, int seconds)
{
    struct timeval limit = {.tv_sec = seconds};
    int one = 1;

    if (setsockopt(fd, SOL_SOCKET, SO_RCVTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &limit, sizeof limit) != 0 ||
        setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, &one, sizeof one) != 0) {
        return -errno;
    }
    return 0;
}

/* Returns a connected socket or -errno. */
static int address_connect(const struct addrinfo *address, int receive_buffer_bytes)
{
    int fd = socket(address->ai_family, SOCK_STREAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    int failed = socket_limit_time(fd, LOAD_TRANSPORT_TIMEOUT_S);

    /* Before the peer learns of the window. */
    if (failed == 0 && receive_buffer_bytes > 0 &&
        setsockopt(fd, SOL_SOCKET, SO_RCVBUF, &receive_buffer_bytes, sizeof receive_buffer_bytes) !=
            0) {
        failed = -errno;
    }
    if (failed == 0 && connect(fd, address->ai_addr, address->ai_addrlen) != 0) {
        failed = -errno;
    }
    if (failed != 0) {
        close(fd);
        return failed;
    }
    return fd;
}

static int peer_connect(const struct load_transport_peer *peer, char *error)
{
    struct addrinfo hints = {.ai_socktype = SOCK_STREAM};
    struct addrinfo *addresses;
    char port[8];
    int fd = -EADDRNOTAVAIL;

    snprintf(port, sizeof port, "%u", peer->port);
    int code = getaddrinfo(peer->host, port, &hints, &addresses);

    if (code != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot resolve %s: %s", peer->host,
                 gai_strerror(code));
        return -EADDRNOTAVAIL;
    }
    for (const struct addrinfo *a = addresses; a != NULL && fd < 0; a = a->ai_next) {
        fd = address_connect(a, peer->receive_buffer_bytes);
    }
    freeaddrinfo(addresses);
    if (fd < 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot connect to %s:%u: %s", peer->host,
                 peer->port, strerror(-fd));
    }
    return fd;
}

static void tls_explain(const struct load_transport_peer *peer, const SSL *ssl, char *error)
{
    long verdict = SSL_get_verify_result(ssl);
    unsigned long code = ERR_peek_last_error();
    const char *reason = verdict != X509_V_OK ? X509_verify_cert_error_string(verdict)
                         : code != 0          ? ERR_reason_error_string(code)
                                              : "connection ended";

    snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "TLS with %s:%u failed: %s", peer->host, peer->port,
             reason != NULL ? reason : "unknown reason");
    ERR_clear_error();
}

static int tls_start(struct load_transport *transport, const struct load_transport_peer *peer,
                     char *error)
{
    struct in6_addr address;
    char name[256]; /* OpenSSL's macro requires it writable */
    bool is_address = inet_pton(AF_INET, peer->host, &address) == 1 ||
                      inet_pton(AF_INET6, peer->host, &address) == 1;

    transport->ssl = SSL_new(peer->tls);
    if (transport->ssl == NULL || SSL_set_fd(transport->ssl, transport->fd) != 1) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "no memory for TLS");
        return -ENOMEM;
    }
    /* An address is checked as an address; only names are sent as SNI (RFC 6066 §3). */
    snprintf(name, sizeof name, "%s", peer->host);
    bool named = is_address || SSL_set_tlsext_host_name(transport->ssl, name) == 1;

    if (peer->verify_name && is_address) {
        named = X509_VERIFY_PARAM_set1_ip_asc(SSL_get0_param(transport->ssl), peer->host) == 1;
    } else if (peer->verify_name && named) {
        named = SSL_set1_host(transport->ssl, peer->host) == 1;
    }
    if (!named || SSL_connect(transport->ssl) != 1) {
        tls_explain(peer, transport->ssl, error);
        return -EPROTO;
    }
    transport->ops = &tls_ops;
    return 0;
}

int load_transport_open(const struct load_transport_peer *peer,
                        struct load_transport *ret_transport,
                        char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    int fd = peer_connect(peer, error);

    *ret_transport = (struct load_transport){.fd = -1};
    if (fd < 0) {
        return fd;
    }
    load_transport_adopt(ret_transport, fd);
    if (peer->tls == NULL) {
        return 0;
    }
    int failed = tls_start(ret_transport, peer, error);

    if (failed != 0) {
        load_transport_close(ret_transport);
    }
    return failed;
}

void load_transport_adopt(struct load_transport *transport, int fd)
{
    CHECK(fd >= 0);
    *transport = (struct load_transport){.ops = &plain_ops, .fd = fd};
}

int load_transport_set_nonblocking(struct load_transport *transport)
{
    int flags = fcntl(transport->fd, F_GETFL);

    if (flags < 0 || fcntl(transport->fd, F_SETFL, flags | O_NONBLOCK) != 0) {
        return -errno;
    }
    return 0;
}

void load_transport_reset(struct load_transport *transport)
{
    struct linger none = {.l_onoff = 1};

    if (transport->ops != NULL) {
        setsockopt(transport->fd, SOL_SOCKET, SO_LINGER, &none, sizeof none);
    }
    load_transport_close(transport);
}

int load_transport_finish(struct load_transport *transport,
                          char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    char ignored[4096];
    ssize_t len;

    if (transport->ssl != NULL) {
        SSL_shutdown(transport->ssl); /* the FIN is the reset's: the peer answers close_notify */
    } else {
        shutdown(transport->fd, SHUT_WR);
    }
    do {
        len = transport->ops->read(transport, ignored, sizeof ignored);
    } while (len > 0);
    load_transport_reset(transport);
    return len == 0 ? 0
                    : load_transport_fail(error, (int)len, "the server does not end a connection");
}

void load_transport_close(struct load_transport *transport)
{
    if (transport->ops == NULL) {
        return;
    }
    SSL_free(transport->ssl);
    close(transport->fd);
    *transport = (struct load_transport){.fd = -1};
}

static int trust_load(SSL_CTX *tls, const char *ca_file)
{
    if (ca_file != NULL) {
        return SSL_CTX_load_verify_locations(tls, ca_file, NULL);
    }
    return SSL_CTX_set_default_verify_paths(tls);
}

SSL_CTX *load_transport_tls_create(const char *ca_file, bool insecure,
                                   char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    SSL_CTX *tls = SSL_CTX_new(TLS_client_method());

    if (tls == NULL) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "no memory for TLS");
        return NULL;
    }
    SSL_CTX_set_mode(tls, SSL_MODE_ENABLE_PARTIAL_WRITE | SSL_MODE_ACCEPT_MOVING_WRITE_BUFFER);
    if (insecure) {
        return tls;
    }
    if (trust_load(tls, ca_file) != 1) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "cannot read the certificates in %s",
                 ca_file != NULL ? ca_file : "the system's store");
        ERR_clear_error();
        SSL_CTX_free(tls);
        return NULL;
    }
    SSL_CTX_set_verify(tls, SSL_VERIFY_PEER, NULL);
    return tls;
}

int load_transport_fail(char error[static LOAD_TRANSPORT_ERROR_SIZE], int failed, const char *text)
{
    snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "%s", text);
    return failed;
}
