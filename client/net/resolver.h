/* Resolves a host name to addresses. getaddrinfo() cannot be cancelled, so it runs in a detached
 * helper thread that shares a reference-counted job with us; giving up drops our reference. A job
 * still busy with the same name is reused, so a dead DNS server occupies at most one helper per
 * name. Owner thread only. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "wire/address/url.h"

enum resolver_limits { RESOLVER_ADDRESSES_MAX = 16 };

struct addresses {
    struct sockaddr_storage items[RESOLVER_ADDRESSES_MAX];
    socklen_t lens[RESOLVER_ADDRESSES_MAX];
    unsigned count;
};

struct resolver_job;

struct resolver {
    struct resolver_job *job; /* NULL: none */
};

/* Begins. PROGRESS_WAIT or PROGRESS_FAILED. */
MUST_USE enum progress resolver_start(struct resolver *resolver, const struct url *url,
                                      struct fault *fault);

/* Readable when the result is available. */
int resolver_fd(const struct resolver *resolver);

/* The addresses, families alternating (RFC 8305 §4). */
MUST_USE enum progress resolver_take(struct resolver *resolver, struct addresses *ret_addresses,
                                     struct fault *fault);

/* Releases a job, finished or not. Harmless without one. */
void resolver_abandon(struct resolver *resolver);

/* Reorders so that address families alternate, beginning with that of the first address. */
void resolver_interleave(struct addresses *addresses);
