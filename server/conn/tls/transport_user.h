/* TLS in user space: after the handshake OpenSSL makes and opens the records. */
#pragma once

#include "server/conn/transport.h"

extern const struct transport_ops transport_user;
