/* The socket of the admin listener (server/admin/): TCP on one address, or a Unix socket. Main
 * thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

enum admin_listener_limits {
    ADMIN_LISTENER_BACKLOG = 64,
    ADMIN_LISTENER_TEXT_SIZE = 128,
    ADMIN_LISTENER_PATH_MAX = 107, /* of a Unix socket */
};

struct admin_listener {
    int fd;                              /* -1: none, or the first worker's */
    const char *path;                    /* of a Unix socket that is ours; else NULL */
    char text[ADMIN_LISTENER_TEXT_SIZE]; /* where it listens, or "off" */
};

/* where: address:port, /path or off. 0, also when it is off; or -errno with one line in error and
 * no socket. The path must outlive the listener. A socket at that path that no program listens on
 * is replaced. */
MUST_USE int admin_listener_open(struct admin_listener *listener, const char *where, char *error,
                                 size_t error_size);

/* Closes the descriptor unless a worker has taken it (fd is -1 then), and removes the path. */
void admin_listener_close(struct admin_listener *listener);
