/* The other end of a device: a serial port, or a program whose standard input and output are one
 * socket. Any thread; opening blocks shortly. */
#pragma once

#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"

/* A descriptor, non-blocking, 8 data bits, no parity, one stop bit, nothing translated; or -errno:
 * -EINVAL for a speed that there is not. */
MUST_USE int endpoint_open_serial(const char *path, uint64_t speed);

/* Starts the command, whose words end with NULL, in a process group of its own. A descriptor, or
 * -errno. Standard error is ours. */
MUST_USE int endpoint_start_program(char *const words[], pid_t *ret_pid);
