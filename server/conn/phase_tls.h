/* PHASE_TLS: the handshake, on a connection that was just accepted. */
#pragma once

#include "server/conn/conn.h"

/* The first receive. */
void tls_start(struct conn *conn);
