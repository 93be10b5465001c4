/* The way through an HTTP proxy: CONNECT (RFC 9110 §9.3.6), after which the transport leads to the
 * host. Owner thread only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/transport.h"
#include "wire/address/proxy.h"

enum tunnel_limits {
    TUNNEL_ANSWER_BYTES_MAX = 8 * 1024, /* of the proxy's head */
    TUNNEL_REQUEST_SIZE = 2 * URL_AUTHORITY_SIZE + 2 * PROXY_CREDENTIALS_SIZE + 256,
};

struct tunnel {
    char request[TUNNEL_REQUEST_SIZE]; /* wiped when it is sent: it may hold a password */
    size_t request_len, request_sent;
    char answer[TUNNEL_ANSWER_BYTES_MAX + 1];
    size_t answer_len;
};

/* Through the proxy, to which the transport is open, to the host of url. */
void tunnel_start(struct tunnel *tunnel, const struct proxy *proxy, const struct url *url);

/* PROGRESS_DONE: the transport leads to the host; nothing of it was read. */
MUST_USE enum progress tunnel_advance(struct tunnel *tunnel, struct transport *transport,
                                      struct fault *fault);
