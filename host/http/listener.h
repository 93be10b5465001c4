/* The listening sockets of the host: plain TCP, on all interfaces of both families or on one
 * address. Host's thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/socket.h>

#include "base/attributes.h"
#include "host/loop/loop.h"

enum listener_limits { LISTENER_SOCKETS_MAX = 2, LISTENER_ACCEPTS_MAX = 16 };

struct listener {
    struct loop *loop;
    struct loop_watch watches[LISTENER_SOCKETS_MAX];
    unsigned count;
    /* Takes over the socket. is_loopback: the peer is a program of this machine. */
    void (*on_accepted)(struct listener *listener, int fd, bool is_loopback);
    struct loop_timer pause; /* after running out of descriptors */
};

/* address NULL or empty: all interfaces. 0 or -errno; -EADDRINUSE when the port is taken. */
MUST_USE int
listener_open(struct listener *listener, struct loop *loop, const char *address, uint16_t port,
              void (*on_accepted)(struct listener *listener, int fd, bool is_loopback));

/* Harmless when it is not open. */
void listener_close(struct listener *listener);

/* 127.0.0.0/8, ::1, and the former as IPv6. */
bool listener_is_loopback(const struct sockaddr_storage *address);
