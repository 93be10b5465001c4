/* A byte stream to a server: TCP, or TLS over it. Opened blocking with a time limit on each step,
 * so that setting up thousands of connections stays straight-line code; then switched to
 * non-blocking for the run. One thread. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"

enum load_transport_limits {
    LOAD_TRANSPORT_TIMEOUT_S = 10,
    LOAD_TRANSPORT_ERROR_SIZE = 256,
};

struct load_transport;

struct load_transport_ops {
    /* Like recv and send: bytes moved, 0 at the end of the stream, -EAGAIN, or another -errno. */
    ssize_t (*read)(struct load_transport *transport, void *data, size_t size);
    ssize_t (*write)(struct load_transport *transport, const void *data, size_t len);
    /* True when received bytes are buffered outside the socket. */
    bool (*has_pending)(const struct load_transport *transport);
};

struct load_transport {
    const struct load_transport_ops *ops; /* NULL exactly while closed */
    int fd;
    SSL *ssl; /* NULL for plain TCP */
};

/* Where to connect and how. host: a name or address. tls: NULL for plain TCP; else shared by all
 * connections and owned by the caller. */
struct load_transport_peer {
    const char *host;
    uint16_t port;
    SSL_CTX *tls;
    bool verify_name;
    int receive_buffer_bytes; /* SO_RCVBUF; 0: the kernel decides */
};

/* Returns 0, or -errno with a reason in error. On failure *ret_transport is closed. Blocks for at
 * most LOAD_TRANSPORT_TIMEOUT_S per step. */
MUST_USE int load_transport_open(const struct load_transport_peer *peer,
                                 struct load_transport *ret_transport,
                                 char error[static LOAD_TRANSPORT_ERROR_SIZE]);

/* Takes ownership of a connected socket. */
void load_transport_adopt(struct load_transport *transport, int fd);

/* From here on read and write return -EAGAIN where they would wait. */
MUST_USE int load_transport_set_nonblocking(struct load_transport *transport);

/* Ends our direction, over TLS with close_notify, and takes all that still comes until the peer
 * ends its own; then closes as load_transport_reset does. Returns 0, or -errno with a reason in
 * error where the peer does not end. Blocks for at most LOAD_TRANSPORT_TIMEOUT_S without a byte. */
MUST_USE int load_transport_finish(struct load_transport *transport,
                                   char error[static LOAD_TRANSPORT_ERROR_SIZE]);

/* Closes with a reset: ends that wait on both sides would use up the ports of this machine. Accepts
 * a closed transport. */
void load_transport_reset(struct load_transport *transport);

/* Accepts a closed transport. */
void load_transport_close(struct load_transport *transport);

/* Writes the text into error. Returns failed. */
int load_transport_fail(char error[static LOAD_TRANSPORT_ERROR_SIZE], int failed, const char *text);

/* A client's TLS settings: certificates are checked against ca_file, or the system's store when it
 * is NULL; not checked when insecure. NULL with a reason in error. Free with SSL_CTX_free. */
MUST_USE SSL_CTX *load_transport_tls_create(const char *ca_file, bool insecure,
                                            char error[static LOAD_TRANSPORT_ERROR_SIZE]);
