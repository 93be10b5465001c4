/* The way of a WebSocket's bytes as fields of its record: plain, or what remains of TLS 1.3 after
 * the handshake. Of kernel TLS the keys are in the socket, and only what the next ones are made of
 * is here. Owner worker only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

/* Not where OpenSSL has a state of its own (TLS 1.2). */
MUST_USE bool live_tls_may_move(const struct conn *conn);

/* The number of its transport (live_format.h); the transport of a number, or NULL. */
uint64_t live_tls_transport(const struct conn *conn);
const struct transport_ops *live_tls_transport_of(uint64_t number);

/* Bytes of the fields, at most. */
size_t live_tls_size(const struct conn *conn);

void live_tls_write(struct handover_writer *writer, const struct conn *conn);

/* conn has its transport and its queue, of which plain_max bytes are in flight. False: the fields
 * are none, or there is no memory. */
MUST_USE bool live_tls_read(const struct handover_record *record, struct conn *conn,
                            size_t plain_max);
