/* TLS 1.3 in user space: the records are made and opened here, with the keys of the handshake. */
#pragma once

#include "base/attributes.h"
#include "base/bytes.h"
#include "server/conn/transport.h"

struct tls_records;

extern const struct transport_ops transport_records;

/* The bytes that have come of a record. */
struct bytes transport_records_partial(const struct conn *conn);
/* conn, which has none yet, goes on with these records, which it owns then, and with what has come
 * of the next one. False: no memory for that; the records are the connection's all the same. */
MUST_USE bool transport_records_restore(struct conn *conn, struct tls_records *records,
                                        struct bytes partial);
