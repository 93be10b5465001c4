/* TLS client sessions over non-blocking sockets, with OpenSSL. Certificate and host name are
 * verified unless disabled. Nothing here raises SIGPIPE. Owner thread only. */
#pragma once

#include <openssl/ssl.h>
#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "wire/address/url.h"

enum tls_sizes { TLS_CAUSE_SIZE = 512 };

struct tls_context {
    SSL_CTX *ssl_context;
    BIO_METHOD *bio_method;
};

struct tls_session {
    SSL *ssl; /* NULL: none */
    int fd;   /* not owned */
    char host[URL_HOST_SIZE];
    bool at_end;                /* the socket reached its end */
    uint64_t bytes_sent;        /* bytes of records given to the kernel */
    char cause[TLS_CAUSE_SIZE]; /* the certificate's fault; empty: none yet */
};

/* Reads the trusted certificates: ca_file, or the system's store when NULL. */
MUST_USE enum progress tls_context_init(struct tls_context *context, const char *ca_file,
                                        bool insecure, struct fault *fault);
void tls_context_deinit(struct tls_context *context);

/* The session must not move in memory until tls_session_deinit. */
MUST_USE enum progress tls_session_init(struct tls_session *session,
                                        const struct tls_context *context, int fd,
                                        const struct url *url, struct fault *fault);
void tls_session_deinit(struct tls_session *session);

/* PROGRESS_WAIT: *ret_events is what to wait for (POLLIN or POLLOUT). */
MUST_USE enum progress tls_session_handshake(struct tls_session *session, short *ret_events,
                                             struct fault *fault);

/* Like recv and send: bytes, 0 at the end (read only), -EAGAIN with *ret_events, or -EIO with the
 * fault. After -EAGAIN, repeat the write with the same bytes at its front. */
MUST_USE ssize_t tls_session_read(struct tls_session *session, void *data, size_t len,
                                  short *ret_events, struct fault *fault);
MUST_USE ssize_t tls_session_write(struct tls_session *session, const void *data, size_t len,
                                   short *ret_events, struct fault *fault);

/* Sends close_notify if the kernel takes it at once. */
void tls_session_shutdown(struct tls_session *session);
