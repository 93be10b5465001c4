/* One key of a set and the single algorithm it is used for. Internal to token/. Immutable once
 * initialised, so any thread may sign and verify. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token.h"

enum key_sizes {
    KEY_SIGNATURE_BYTES_MAX = TOKEN_RSA_BITS_MAX / 8,
    KEY_HMAC_BYTES_MAX = 64,
    KEY_REASON_SIZE = 128,
};

struct key {
    enum token_algorithm algorithm;
    bool can_sign;
    char id[TOKEN_KEY_ID_SIZE]; /* empty: none */
    char *origin;               /* where the operator finds it, e.g. "keys/a.pem" */
    char *material;             /* the secret, or the PEM text of the public half; terminated */
    size_t material_len;
    EVP_PKEY *pair; /* NULL for a secret */
};

/* Copies the secret, whose length the caller has checked. -ENOMEM. */
MUST_USE int key_init_secret(struct key *key, struct bytes secret, enum token_algorithm algorithm);

/* PEM text of one public key (SubjectPublicKeyInfo), or of one private key that is not encrypted.
 * The type of the key decides the algorithm; -EINVAL with the reason for unsupported types, sizes
 * and forms, never quoting the text. -ENOMEM without a reason. */
MUST_USE int key_init_public(struct key *key, struct bytes pem,
                             char reason[static KEY_REASON_SIZE]);
MUST_USE int key_init_private(struct key *key, struct bytes pem,
                              char reason[static KEY_REASON_SIZE]);

/* Wipes; accepts a zeroed key. */
void key_deinit(struct key *key);

/* Printable ASCII without blanks that fits. */
bool key_id_is_valid(struct bytes id);

/* Length of every signature of the key. */
size_t key_signature_len(const struct key *key);

/* Writes key_signature_len() bytes. TOKEN_NO_MEMORY when OpenSSL fails; the key must be able to
 * sign. */
MUST_USE enum token_result key_sign(const struct key *key, struct bytes input,
                                    uint8_t ret_signature[static KEY_SIGNATURE_BYTES_MAX]);

/* TOKEN_OK, TOKEN_BAD_SIGNATURE or TOKEN_NO_MEMORY; secrets in constant time. */
MUST_USE enum token_result key_verify(const struct key *key, struct bytes input,
                                      struct bytes signature);
