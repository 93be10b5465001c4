/* TCP to the first of several addresses that answers (RFC 8305): the next one is tried when one
 * fails, or beside it after a short wait. Owner thread only; never blocks. */
#pragma once

#include <poll.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/resolver.h"

enum dialer_limits {
    DIALER_SOCKETS_MAX = 4,
    DIALER_STAGGER_MS = 250,
    /* What may wait unsent in the kernel: the rest waits in the ring, where drop policies reach. */
    DIALER_NOTSENT_BYTES_MAX = 128 * 1024,
};

struct dialer {
    const struct addresses *addresses; /* the caller's, until dialer_cancel */
    unsigned next;                     /* the address to try next */
    uint64_t next_ms;                  /* when, unless all tries fail before */
    struct {
        int fd;
        unsigned address;
    } sockets[DIALER_SOCKETS_MAX];
    unsigned sockets_count;
    struct fault last; /* of the latest address that failed */
};

void dialer_start(struct dialer *dialer, const struct addresses *addresses, uint64_t now_ms);

/* Fills up to DIALER_SOCKETS_MAX entries; returns how many. */
unsigned dialer_poll_fds(const struct dialer *dialer, struct pollfd *fds);

/* When dialer_advance wants to be called although no descriptor is ready; UINT64_MAX: never. */
uint64_t dialer_wake_ms(const struct dialer *dialer);

/* PROGRESS_DONE: *ret_fd is a connected, non-blocking socket and the caller's; all others are
 * closed. PROGRESS_FAILED: no address answered. */
MUST_USE enum progress dialer_advance(struct dialer *dialer, uint64_t now_ms, int *ret_fd,
                                      struct fault *fault);

/* Closes whatever is open. Harmless on a zeroed or finished dialer. */
void dialer_cancel(struct dialer *dialer);
