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

/* One port: a socket for each worker, one that all share, or as many as the program before this one
 * had workers. */
struct listen_port {
    uint16_t number;  /* as it is open */
    bool is_passed;   /* by systemd */
    bool is_shared;   /* several workers, or systemd too, accept on one socket */
    unsigned count;   /* of descriptors: one for each worker at least */
    unsigned sockets; /* the first so many are of different sockets, the others are of these too */
    int fds[WORKERS_MAX];
};

struct listen_ports {
    struct listen_port access, relay; /* the relay's has only its number when is_one */
    bool is_one;                      /* one port for both */
    bool is_taken;                    /* by the workers, who close them */
};

/* Opens a socket of each port for each worker, or takes the one of activation for all, and waits
 * for one that is taken, as above. 0, or -errno with one line in error and no socket left open. */
MUST_USE int listen_ports_open(struct listen_ports *ports, const struct server_config *config,
                               struct activation *activation, char *error, size_t error_size);

/* A port with sockets of the program before this one, which are the port's then, also when this
 * fails: each worker has one at least. 0, or -errno with one line in error. */
MUST_USE int listen_port_adopt(struct listen_port *port, const int *fds, unsigned count,
                               unsigned workers, char *error, size_t error_size);

/* The workers close theirs from now on: listen_ports_close does nothing. */
void listen_ports_forget(struct listen_ports *ports);
void listen_ports_close(struct listen_ports *ports);
