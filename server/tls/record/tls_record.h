/* TLS record framing (RFC 8446 §5.1): the length and number of records. Pure; any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum tls_record_sizes {
    TLS_RECORD_PAYLOAD_MAX = 16384,
    TLS_RECORD_HEADER = 5,
    TLS_RECORD_BYTES_MAX = TLS_RECORD_HEADER + TLS_RECORD_PAYLOAD_MAX + 256, /* RFC 8446 §5.2 */
};

/* Length of the record with that header, the header included; 0 when it is not the header of a
 * record that a handshake may contain. */
size_t tls_record_measure(const uint8_t header[static TLS_RECORD_HEADER]);

/* Number of records in our output, the last one perhaps truncated. */
uint32_t tls_record_count(const uint8_t *data, size_t len);
