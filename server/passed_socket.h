/* A listening socket that systemd opened for a port of ours (base/systemd/activation.h). Main
 * thread, at the start. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/systemd/activation.h"

/* Takes the socket of a port: the one of that name (FileDescriptorName=), or, where names say
 * nothing, the one at *port, which becomes the port that it has. Its descriptor, now the caller's;
 * -ENOENT: none was passed for this port; another -errno with one line in error. */
MUST_USE int passed_socket_take(struct activation *activation, const char *name, uint16_t *port,
                                char *error, size_t error_size);

/* For a socket that no port took: it would accept connections that nothing serves. 0, or -EINVAL
 * with one line in error. */
MUST_USE int passed_socket_check_rest(const struct activation *activation, char *error,
                                      size_t error_size);
