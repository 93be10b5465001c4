/* Kernel TLS: after the handshake the kernel makes and opens the records. */
#pragma once

#include "server/conn/transport.h"

extern const struct transport_ops transport_kernel;
