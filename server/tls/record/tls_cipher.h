/* One direction of a TLS 1.3 connection: its secret, key, nonce and the number of its next record
 * (RFC 8446 §5.3). What sealing and opening have in common. Owner worker only; never blocks. */
#pragma once

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#include "server/tls/record/tls_secret.h"

enum tls_cipher_sizes { TLS_TAG_BYTES = 16 };

struct tls_cipher {
    EVP_CIPHER_CTX *context; /* with the key; NULL while it rests */
    enum tls_suite suite;
    bool seals;
    bool has_key;      /* key and iv are derived */
    uint64_t sequence; /* of the next record under this key */
    uint8_t iv[TLS_IV_BYTES];
    uint8_t key[TLS_KEY_BYTES_MAX];
    uint8_t secret[TLS_SECRET_BYTES_MAX];
};

/* Takes a copy of the secret; sequence is the number of records that were already made under it.
 * False when out of memory: then only tls_cipher_deinit may be called. */
MUST_USE bool tls_cipher_init(struct tls_cipher *cipher, bool seals, enum tls_suite suite,
                              const uint8_t *secret, uint64_t sequence);
/* The same, but its key is derived for the first record. */
void tls_cipher_init_resting(struct tls_cipher *cipher, bool seals, enum tls_suite suite,
                             const uint8_t *secret, uint64_t sequence);
/* Wipes the secrets; of one that is zeroed nothing. */
void tls_cipher_deinit(struct tls_cipher *cipher);

/* Gives up the context, which has three times the size of the rest, until the next record makes it
 * again: that costs about half a microsecond. */
void tls_cipher_rest(struct tls_cipher *cipher);

/* KeyUpdate (§7.2): the next secret with its keys. False when out of memory: the connection cannot
 * go on. */
MUST_USE bool tls_cipher_update(struct tls_cipher *cipher);

/* Begins the next record: sets its nonce, takes its header as additional data, and counts it. False
 * when out of memory, or when its number would be the last one: it must never wrap. */
MUST_USE bool tls_cipher_begin(struct tls_cipher *cipher, const uint8_t *header);
