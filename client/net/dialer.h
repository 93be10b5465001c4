/* TCP to the first of several addresses that answers (RFC 8305): the next one is tried when one
 * fails, or in parallel after a short wait. Owner thread only; never blocks. */
#pragma once

#include <poll.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/resolver.h"

enum dialer_limits {
    DIALER_SOCKETS_MAX = 4,
    DIALER_STAGGER_MS = 250,
    /* Limit of unsent bytes in the kernel: the rest waits in the ring, where the drop policies
     * apply. */
    DIALER_NOTSENT_BYTES_MAX = 128 * 1024,
};

struct dialer {
    const struct addresses *addresses; /* owned by the caller; in use until dialer_cancel */
    unsigned next;                     /* the address to try next */
    uint64_t next_ms;                  /* time of that, unless all attempts fail earlier */
    struct {
        int fd;
        unsigned address;
    } sockets[DIALER_SOCKETS_MAX];
    unsigned sockets_count;
    struct fault last; /* of the last address that failed */
};

void dialer_start(struct dialer *dialer, const struct addresses *addresses, uint64_t now_ms);

/* Fills up to DIALER_SOCKETS_MAX entries; returns their number. */
unsigned dialer_poll_fds(const struct dialer *dialer, struct pollfd *fds);

/* Time to call dialer_advance even if no descriptor is ready; UINT64_MAX: never. */
uint64_t dialer_wake_ms(const struct dialer *dialer);

/* PROGRESS_DONE: *ret_fd is a connected, non-blocking socket, owned by the caller; all others are
 * closed. PROGRESS_FAILED: no address answered. */
MUST_USE enum progress dialer_advance(struct dialer *dialer, uint64_t now_ms, int *ret_fd,
                                      struct fault *fault);

/* Closes all open sockets. Accepts a zeroed or finished dialer. */
void dialer_cancel(struct dialer *dialer);
