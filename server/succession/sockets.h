/* Listening sockets of a hand-over (docs/handover.md): the new program accepts on the very sockets
 * of the one before it, so that no connection in their backlogs is lost. Main thread. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "server/admin_listener.h"
#include "server/handover/handover_stream.h"
#include "server/handover/handover_writer.h"
#include "server/listen.h"

enum sockets_limits {
    SOCKETS_BYTES_MAX = 4096,
    SOCKETS_FDS_MAX = 2 * WORKERS_MAX + 1,
};

/* Writes a record of each port, and of the admin listener if admin_fd is one; the descriptors stay
 * the caller's. Returns how many there are. CHECKs that the writer has SOCKETS_BYTES_MAX.
 */
size_t sockets_write(const struct listen_ports *ports, const struct admin_listener *admin,
                     int admin_fd, struct handover_writer *writer, int fds[static SOCKETS_FDS_MAX]);

/* Takes the descriptors of a stream of these records; admin->fd is -1 when the other program had no
 * admin listener; admin->path is NULL: a socket there is the other program's still. 0, or -errno
 * with one line in error and no descriptor left open. */
MUST_USE int sockets_read(struct listen_ports *ports, struct admin_listener *admin,
                          const struct server_config *config, struct handover_stream *stream,
                          char *error, size_t error_size);
