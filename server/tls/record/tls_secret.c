#include "server/tls/record/tls_secret.h"

#include <errno.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"

/* HKDF-Expand-Label (RFC 8446 §7.1) with an empty context; at most one hash length, so one block.
 */
MUST_USE static int expand_label(enum tls_suite suite, const uint8_t *secret, const char *label,
                                 uint8_t *out, size_t out_len)
{
    uint8_t info[64];
    uint8_t block[EVP_MAX_MD_SIZE];
    unsigned block_len = 0;
    int label_len = snprintf((char *)info + 3, sizeof info - 5, "tls13 %s", label);
    size_t info_len = 3 + (size_t)label_len;

    info[0] = 0;
    info[1] = (uint8_t)out_len;
    info[2] = (uint8_t)label_len;
    info[info_len++] = 0; /* length of the context */
    info[info_len++] = 1; /* number of the block */
    if (HMAC(tls_suite_hash(suite), secret, (int)tls_suite_secret_bytes(suite), info, info_len,
             block, &block_len) == NULL) {
        return -ENOMEM; /* OpenSSL allocates memory for it */
    }
    CHECK(out_len <= block_len);
    memcpy(out, block, out_len);
    bytes_wipe(block, sizeof block);
    return 0;
}

int tls_secret_keys(enum tls_suite suite, const uint8_t *secret, struct tls_keys *ret_keys)
{
    int failed = expand_label(suite, secret, "key", ret_keys->key, tls_suite_key_bytes(suite));

    return failed != 0 ? failed
                       : expand_label(suite, secret, "iv", ret_keys->iv, sizeof ret_keys->iv);
}

int tls_secret_next(enum tls_suite suite, const uint8_t *secret, uint8_t *next)
{
    CHECK(secret != next);
    return expand_label(suite, secret, "traffic upd", next, tls_suite_secret_bytes(suite));
}
