/* Opens the records of one direction in place, and refuses whatever RFC 8446 §5 tells to refuse.
 * Owner worker only; never blocks. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "server/tls/record/tls_cipher.h"
#include "server/tls/record/tls_control.h"
#include "server/tls/record/tls_record.h"

enum tls_opener_limits {
    TLS_INNER_BYTES_MIN = 1, /* the type */
    TLS_SEALED_BYTES_MIN = TLS_INNER_BYTES_MIN + TLS_TAG_BYTES,
    /* §5.4: content, type and padding together have 2^14 + 1 bytes at most. */
    TLS_SEALED_BYTES_MAX = TLS_RECORD_PAYLOAD_MAX + TLS_INNER_BYTES_MIN + TLS_TAG_BYTES,
    /* Records in a row that carry no data: they cost as much as others. */
    TLS_IDLE_RECORDS_MAX = 32,
    /* KeyUpdates, which cost ten times as much as a short record: at once, and one more for each so
     * many records with data. */
    TLS_KEY_UPDATES_MAX = 32,
    TLS_KEY_UPDATE_RECORDS = 16,
};

struct tls_opener {
    struct tls_cipher cipher;
    uint32_t idle;        /* records since the last one with data */
    uint32_t key_updates; /* not yet made up for by records with data */
    uint32_t data_records;
};

/* Each failure has the number of the alert that tells it (RFC 8446 §6.2). After one nothing more
 * may be opened. */
enum tls_opened {
    TLS_OPENED = 0,
    TLS_OPENED_UNEXPECTED = 10, /* unexpected_message */
    TLS_OPENED_BAD_TAG = 20,    /* bad_record_mac */
    TLS_OPENED_OVERFLOW = 22,   /* record_overflow */
    TLS_OPENED_BAD_VALUE = 47,  /* illegal_parameter: what it says, not the record */
    TLS_OPENED_BAD_VERSION = 70,
    TLS_OPENED_FAILED = 80, /* internal_error: no memory, or no numbers left */
};

/* Length of the record with that header, the header included, in *ret_len. */
MUST_USE enum tls_opened tls_opener_measure(const uint8_t header[static TLS_RECORD_HEADER],
                                            size_t *ret_len);

/* Opens one whole record of a length that tls_opener_measure gave. Its content, which lies in
 * record, is *ret_payload: at most TLS_RECORD_PAYLOAD_MAX bytes. */
MUST_USE enum tls_opened tls_opener_open(struct tls_opener *opener, uint8_t *record, size_t len,
                                         uint8_t *ret_type, struct bytes *ret_payload);
