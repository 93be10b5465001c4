/* Listening sockets: one for each worker on the same port (SO_REUSEPORT), IPv4 and IPv6. Main
 * thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"

/* Opens count sockets on address (empty: all of IPv4 and IPv6) and *port; a port of 0 becomes the
 * one the kernel chose. 0, or -errno with one line in error and no socket left open. */
MUST_USE int listen_open(const char *address, uint16_t *port, int *fds, unsigned count, char *error,
                         size_t error_size);
