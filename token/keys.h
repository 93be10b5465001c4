/* The secret behind struct token_keys, for sign.c and verify.c only. Immutable, so any thread. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token.h"

enum keys_sizes { KEYS_SIGNATURE_BYTES = 32 }; /* HMAC-SHA256 */

struct token_keys {
    size_t secret_len;
    char secret[]; /* terminated */
};

/* HMAC-SHA256 of the input. TOKEN_OK, or TOKEN_NO_MEMORY when OpenSSL cannot. */
MUST_USE enum token_result keys_sign(const struct token_keys *keys, struct bytes input,
                                     uint8_t ret_signature[static KEYS_SIGNATURE_BYTES]);
