/* PHASE_TLS: the handshake, on a connection that was just accepted. Entering it starts the first
 * receive. */
#pragma once

#include "server/conn/conn.h"

extern const struct phase_ops phase_tls_ops;
