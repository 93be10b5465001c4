/* Listening sockets: one for each worker on the same port (SO_REUSEPORT), IPv4 and IPv6; or one of
 * systemd's for all of them. Main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/systemd/activation.h"
#include "server/config.h"
#include "server/loop/worker.h"

enum listen_limits {
    LISTEN_BACKLOG = 4096,
    LISTEN_TAKEN_WAIT_MS = 2000, /* for a port to become free */
    /* Kernel side of a slow viewer (the kernel doubles it). */
    SOCKET_SEND_BUFFER_BYTES = 256 * 1024,
    /* Beyond what is on its way: what a slow viewer has not taken waits in its queue, where it can
     * be dropped (docs/decisions/0010). */
    SOCKET_UNSENT_BYTES = 32 * 1024,
};

/* Opens count sockets on address (empty: all of IPv4 and IPv6) and *port; a port of 0 becomes the
 * one the kernel chose. 0, or -errno with one line in error and no socket left open. */
MUST_USE int listen_open(const char *address, uint16_t *port, int *fds, unsigned count, char *error,
                         size_t error_size);

/* The same, but waits for LISTEN_TAKEN_WAIT_MS where the port is taken: the kernel takes the ring
 * of a relay that was killed apart behind its back, and with it the listening sockets. Blocks. */
MUST_USE int listen_open_awaited(const char *address, uint16_t *port, int *fds, unsigned count,
                                 char *error, size_t error_size);

/* The sockets of the access port and of the relay port. */
struct listen_ports {
    uint16_t access, relay;                 /* as they are open: the same when is_one */
    bool is_one;                            /* one socket for both */
    bool access_is_shared, relay_is_shared; /* systemd's: the descriptors are of one socket */
    unsigned count;                         /* of sockets that are closed by listen_ports_close */
    int access_fds[WORKERS_MAX], relay_fds[WORKERS_MAX]; /* one for each worker */
};

/* Opens a socket of each port for each worker, or takes the one of activation for all, and waits
 * for one that is taken, as above. 0, or -errno with one line in error and no socket left open. */
MUST_USE int listen_ports_open(struct listen_ports *ports, const struct server_config *config,
                               struct activation *activation, char *error, size_t error_size);

/* The workers close theirs from now on: listen_ports_close does nothing. */
void listen_ports_forget(struct listen_ports *ports);
void listen_ports_close(struct listen_ports *ports);
