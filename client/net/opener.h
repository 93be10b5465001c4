/* The way to a URL's host: its addresses, or those of the proxy that the caller or the environment
 * names, TCP to the first that answers, CONNECT through the proxy, and TLS where the URL wants it.
 * One step at a time between calls of poll(2), so it serves the client's connection, which has
 * other things to look at, as well as a caller that waits in a loop (http_get.c). Owner thread
 * only; never blocks but to read the CA file. */
#pragma once

#include <poll.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/net/dialer.h"
#include "client/net/fault.h"
#include "client/net/resolver.h"
#include "client/net/tls.h"
#include "client/net/transport.h"
#include "client/net/tunnel.h"
#include "wire/address/proxy.h"
#include "wire/address/url.h"

enum { OPENER_FDS_MAX = DIALER_SOCKETS_MAX };

enum opener_step { OPENER_RESOLVE, OPENER_DIAL, OPENER_TUNNEL, OPENER_TLS, OPENER_DONE };

/* Where to, and by which trust. The caller's, until the opener is done or cancelled. */
struct opener_target {
    const struct url *url;
    const char *proxy;   /* NULL: what the environment names */
    const char *ca_file; /* NULL: the system's store */
    bool insecure;       /* certificates are not verified */
};

struct opener {
    struct opener_target target;
    enum opener_step step;
    struct resolver resolver;
    struct addresses addresses;
    struct dialer dialer;
    bool uses_proxy;
    struct proxy proxy;
    struct tunnel tunnel;
    struct tls_context tls;      /* made when first wanted, and kept */
    struct transport *transport; /* the caller's, closed */
};

/* Begins. A zeroed opener is fine; so is one that was cancelled or is done. PROGRESS_WAIT or
 * PROGRESS_FAILED. The transport must not move in memory until it is closed. */
MUST_USE enum progress opener_start(struct opener *opener, const struct opener_target *target,
                                    struct transport *transport, struct fault *fault);

/* PROGRESS_DONE: the transport is open. After PROGRESS_FAILED: opener_cancel. */
MUST_USE enum progress opener_advance(struct opener *opener, uint64_t now_ms, struct fault *fault);

/* Fills up to OPENER_FDS_MAX entries; returns how many. */
unsigned opener_poll_fds(const struct opener *opener, struct pollfd *fds);

/* When opener_advance wants to be called although no descriptor is ready; UINT64_MAX: never. */
uint64_t opener_wake_ms(const struct opener *opener);

/* The awaited event: "TCP connection". */
const char *opener_missing(const struct opener *opener);

/* Closes what is open, the transport too. A resolver that is still busy is kept for the next start.
 * Harmless at any time. */
void opener_cancel(struct opener *opener);

/* The next TLS handshake reads the CA file anew. Only without an open transport. */
void opener_forget_trust(struct opener *opener);

/* Cancels, and lets go of everything. */
void opener_deinit(struct opener *opener);
