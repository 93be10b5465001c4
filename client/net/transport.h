/* A connected byte stream, plain or TLS. Owns its socket. Owner thread only; never blocks, never
 * raises SIGPIPE. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/tls.h"

struct transport {
    int fd; /* -1: none */
    bool encrypted;
    struct tls_session tls;
    short read_events;  /* event that a read with -EAGAIN waits for */
    short write_events; /* the same for a write; 0: no write is pending */
    uint64_t bytes_received;
    uint64_t bytes_sent; /* as counted by the kernel: records for TLS */
};

void transport_init(struct transport *transport);

/* Takes ownership of the connected socket. */
void transport_open(struct transport *transport, int fd);

/* Puts TLS on top; transport_handshake then completes it. */
MUST_USE enum progress transport_start_tls(struct transport *transport,
                                           const struct tls_context *context, const struct url *url,
                                           struct fault *fault);
MUST_USE enum progress transport_handshake(struct transport *transport, struct fault *fault);

/* Like recv and send: bytes, 0 at the end (read only), -EAGAIN, or -EIO with the fault. Bytes
 * counted by a write are in the kernel. */
MUST_USE ssize_t transport_read(struct transport *transport, void *data, size_t len,
                                struct fault *fault);
MUST_USE ssize_t transport_write(struct transport *transport, const void *data, size_t len,
                                 struct fault *fault);

/* Events that poll(2) should wait for. */
struct pollfd transport_pollfd(const struct transport *transport);

/* Bytes the peer has not acknowledged yet (SIOCOUTQ); 0 when unknown. */
uint64_t transport_unacknowledged(const struct transport *transport);

/* Reads and forgets what has arrived, without decrypting it. True: the stream has ended. */
MUST_USE bool transport_discard(struct transport *transport);

/* Ends our direction of the stream; reading continues. */
void transport_shutdown(struct transport *transport);
void transport_close(struct transport *transport);
