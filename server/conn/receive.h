/* The one receive of a connection, into a buffer that its worker's connections share: armed again
 * after each, while the phase wants bytes. Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"

void conn_receive_start(struct conn *conn); /* nothing when armed, waiting for buffers or closing */
void conn_receive_init(struct conn *conn);
/* Bytes of the peer's are waiting to be read. */
bool conn_receive_waits(const struct conn *conn);
/* The peer will send nothing more. */
void conn_receive_end(struct conn *conn);
