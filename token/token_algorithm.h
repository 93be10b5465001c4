/* The algorithms that sign access tokens (RFC 7518, RFC 8037). Any thread. */
#pragma once

#include <stdbool.h>

enum token_algorithm {
    TOKEN_HS256, /* shared secret */
    TOKEN_EDDSA, /* Ed25519 */
    TOKEN_ES256, /* P-256 */
    TOKEN_RS256, /* RSA, PKCS #1 v1.5 */
    TOKEN_HS384, /* shared secret, opt-in, like the next */
    TOKEN_HS512,
    TOKEN_ALGORITHM_COUNT,
};

/* As in a token's header: "HS256". */
const char *token_algorithm_text(enum token_algorithm algorithm);

/* Whether secrets serve it. */
bool token_algorithm_is_hmac(enum token_algorithm algorithm);
