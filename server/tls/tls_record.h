/* The outside of TLS records (RFC 8446 §5.1): how long one is, how many there are. Pure; any
 * thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "server/tls/tls_session.h"

/* Length of the record with that header, the header included; 0 when it is no header of a record
 * that a handshake may contain. */
size_t tls_record_measure(const uint8_t header[static TLS_RECORD_HEADER]);

/* Records in what we have written, the last one perhaps cut off. */
uint32_t tls_record_count(const uint8_t *data, size_t len);
