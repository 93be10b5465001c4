#include "server/tls/record/tls_cipher.h"

#include <string.h>

#include "base/bytes.h"
#include "server/tls/record/tls_record.h"

static bool derive_key(struct tls_cipher *cipher)
{
    struct tls_keys keys;
    bool derived = tls_secret_keys(cipher->suite, cipher->secret, &keys) == 0;

    if (derived) {
        memcpy(cipher->iv, keys.iv, sizeof cipher->iv);
        memcpy(cipher->key, keys.key, sizeof cipher->key);
        cipher->has_key = true;
    }
    bytes_wipe(&keys, sizeof keys);
    return derived;
}

void tls_cipher_rest(struct tls_cipher *cipher)
{
    EVP_CIPHER_CTX_free(cipher->context); /* wipes the key */
    cipher->context = NULL;
}

static bool set_key(struct tls_cipher *cipher)
{
    if (!cipher->has_key && !derive_key(cipher)) {
        return false;
    }
    if (cipher->context == NULL) {
        cipher->context = EVP_CIPHER_CTX_new();
    }
    if (cipher->context == NULL ||
        EVP_CipherInit_ex(cipher->context, tls_suite_cipher(cipher->suite), NULL, cipher->key, NULL,
                          cipher->seals) != 1) {
        tls_cipher_rest(cipher); /* nothing may be sealed without the key */
        return false;
    }
    return true;
}

void tls_cipher_init_resting(struct tls_cipher *cipher, bool seals, enum tls_suite suite,
                             const uint8_t *secret, uint64_t sequence)
{
    *cipher = (struct tls_cipher){.suite = suite, .seals = seals, .sequence = sequence};
    memcpy(cipher->secret, secret, tls_suite_secret_bytes(suite));
}

bool tls_cipher_init(struct tls_cipher *cipher, bool seals, enum tls_suite suite,
                     const uint8_t *secret, uint64_t sequence)
{
    tls_cipher_init_resting(cipher, seals, suite, secret, sequence);
    return set_key(cipher);
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
    if (!made || !derive_key(cipher) || (cipher->context != NULL && !set_key(cipher))) {
        cipher->sequence = UINT64_MAX; /* the old key must not see the new numbers */
        return false;
    }
    return true;
}

bool tls_cipher_begin(struct tls_cipher *cipher, const uint8_t *header)
{
    uint8_t nonce[TLS_IV_BYTES];
    int len;

    if (cipher->sequence == UINT64_MAX || (cipher->context == NULL && !set_key(cipher))) {
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
