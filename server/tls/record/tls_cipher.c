#include "server/tls/record/tls_cipher.h"

#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "server/tls/record/tls_record.h"

/* The cipher of a context stays as it is when only its key is set. */
static bool set_keys(struct tls_cipher *cipher, const EVP_CIPHER *type, int seals)
{
    struct tls_keys keys;
    bool set = tls_secret_keys(cipher->suite, cipher->secret, &keys) == 0 &&
               EVP_CipherInit_ex(cipher->context, type, NULL, keys.key, NULL, seals) == 1;

    if (set) {
        memcpy(cipher->iv, keys.iv, sizeof cipher->iv);
    } else {
        cipher->sequence = UINT64_MAX; /* the old key must not see the new numbers */
    }
    bytes_wipe(&keys, sizeof keys);
    return set;
}

bool tls_cipher_init(struct tls_cipher *cipher, bool seals, enum tls_suite suite,
                     const uint8_t *secret, uint64_t sequence)
{
    *cipher =
        (struct tls_cipher){.suite = suite, .sequence = sequence, .context = EVP_CIPHER_CTX_new()};
    memcpy(cipher->secret, secret, tls_suite_secret_bytes(suite));
    return cipher->context != NULL && set_keys(cipher, tls_suite_cipher(suite), seals);
}

void tls_cipher_deinit(struct tls_cipher *cipher)
{
    EVP_CIPHER_CTX_free(cipher->context); /* wipes the key */
    bytes_wipe(cipher, sizeof *cipher);
}

bool tls_cipher_update(struct tls_cipher *cipher)
{
    uint8_t next[TLS_SECRET_BYTES_MAX] = {0};
    bool made = tls_secret_next(cipher->suite, cipher->secret, next) == 0;

    if (made) {
        memcpy(cipher->secret, next, sizeof next);
        cipher->sequence = 0;
    }
    bytes_wipe(next, sizeof next);
    return made && set_keys(cipher, NULL, -1);
}

bool tls_cipher_begin(struct tls_cipher *cipher, const uint8_t *header)
{
    uint8_t nonce[TLS_IV_BYTES];
    int len;

    CHECK(cipher->context != NULL);
    if (cipher->sequence == UINT64_MAX) {
        return false;
    }
    memcpy(nonce, cipher->iv, sizeof nonce);
    for (unsigned i = 0; i < 8; i++) {
        nonce[TLS_IV_BYTES - 1 - i] ^= (uint8_t)(cipher->sequence >> (8 * i));
    }
    cipher->sequence++;
    return EVP_CipherInit_ex(cipher->context, NULL, NULL, NULL, nonce, -1) == 1 &&
           EVP_CipherUpdate(cipher->context, NULL, &len, header, TLS_RECORD_HEADER) == 1;
}
