/* Makes the records of one direction (RFC 8446 §5.2), straight from where the plain bytes lie.
 * Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/uio.h>

#include "server/tls/record/tls_cipher.h"
#include "server/tls/record/tls_control.h"
#include "server/tls/record/tls_record.h"

enum tls_sealer_limits {
    TLS_SEAL_OVERHEAD = TLS_RECORD_HEADER + 1 + TLS_TAG_BYTES, /* of one record: no padding */
    /* Records under one key; then it is time for a KeyUpdate. AES-GCM is safe for 2^24.5 full ones
     * (§5.5), so for all that one send may make after this many. */
    TLS_SEAL_RECORDS_MAX = 1 << 24,
};

struct tls_sealer {
    struct tls_cipher cipher;
};

/* Plain bytes that are to be sealed: len bytes of the slices, without the first offset. */
struct tls_plain {
    const struct iovec *slices;
    size_t offset; /* in the first slice */
    size_t len;
};

/* Length of the records that so many plain bytes become. */
size_t tls_sealer_size(size_t plain_len);

/* One record at output, TLS_SEAL_OVERHEAD bytes longer than what it carries, which is
 * TLS_RECORD_PAYLOAD_MAX bytes at most; advances plain past them. Its length, or 0 when it failed:
 * nothing more may be sealed then. */
MUST_USE size_t tls_sealer_seal(struct tls_sealer *sealer, enum tls_content type,
                                struct tls_plain *plain, uint8_t *output);

/* KeyUpdate: the record that says it, then the next key. As tls_sealer_seal; for 5 bytes. */
enum { TLS_KEY_UPDATE_BYTES = 5 };
MUST_USE size_t tls_sealer_update(struct tls_sealer *sealer, uint8_t *output);

/* It is time for a KeyUpdate. */
bool tls_sealer_is_spent(const struct tls_sealer *sealer);
