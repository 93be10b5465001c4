/* Access tokens: JSON Web Tokens (RFC 7519) with the claims that booking systems issue. Built on
 * libjwt and OpenSSL. Thread-safe: no shared state besides the immutable key set. Never blocks,
 * never logs; no function ever puts a secret or a token into an error text. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token_keys.h"

enum token_limits {
    TOKEN_BYTES_MAX = 8192, /* longer tokens are refused unread */
    TOKEN_TEXT_SIZE = 256,  /* booking id, topic, audience: bytes with the terminator */
    TOKEN_PREFIX_SIZE = 32, /* connection type */
    TOKEN_SCOPES_MAX = 16,
    TOKEN_SCOPE_SIZE = 64,
    TOKEN_AUDIENCES_MAX = 8,
    TOKEN_LEEWAY_S = 30, /* clock skew tolerated for nbf and iat; none for exp */
};

enum token_result {
    TOKEN_OK,
    TOKEN_TOO_LONG,      /* the token or one of its claims exceeds token_limits */
    TOKEN_MALFORMED,     /* not three base64url parts of JSON, or a claim has the wrong type */
    TOKEN_BAD_ALGORITHM, /* alg is not the key's: none, RS256 with an HMAC key, HS384 … */
    TOKEN_UNKNOWN_KEY,   /* kid names no key, and all keys of the algorithm have names */
    TOKEN_BAD_SIGNATURE,
    TOKEN_EXPIRED,
    TOKEN_TOO_EARLY,  /* nbf or iat lies more than TOKEN_LEEWAY_S ahead */
    TOKEN_INCOMPLETE, /* exp, nbf or iat is missing */
    TOKEN_NO_MEMORY,
    TOKEN_RESULT_COUNT,
};

/* A short constant English text, e.g. "token expired". Never NULL. */
const char *token_result_text(enum token_result result);

/* Claims by value: no ownership. Absent texts are empty, absent lists have count 0. Unknown claims
 * are ignored when read. Order when written: booking_id topic prefix scopes aud exp nbf iat. */
struct token_claims {
    char booking_id[TOKEN_TEXT_SIZE];
    char topic[TOKEN_TEXT_SIZE];
    char prefix[TOKEN_PREFIX_SIZE]; /* "session" */
    char scopes[TOKEN_SCOPES_MAX][TOKEN_SCOPE_SIZE];
    unsigned scopes_count;
    char audiences[TOKEN_AUDIENCES_MAX][TOKEN_TEXT_SIZE]; /* aud: string or array */
    unsigned audiences_count;
    int64_t exp_s; /* seconds since 1970 UTC; fractions are truncated */
    int64_t nbf_s;
    int64_t iat_s;
};

bool token_claims_have_scope(const struct token_claims *claims, const char *scope);
bool token_claims_have_audience(const struct token_claims *claims, const char *audience);

/* Appends; false when the list is full or the text too long. */
MUST_USE bool token_claims_add_scope(struct token_claims *claims, const char *scope);
MUST_USE bool token_claims_add_audience(struct token_claims *claims, const char *audience);

/* Checks form, algorithm, signature (constant time), exp > now, nbf and iat. The caller checks
 * audience, topic and scopes. *ret_claims is filled with TOKEN_OK and, so that a log can identify
 * the token, with TOKEN_EXPIRED and TOKEN_TOO_EARLY, which are returned for genuine tokens only;
 * otherwise untouched. */
MUST_USE enum token_result token_verify(const struct token_keys *keys, struct bytes text,
                                        int64_t now_s, struct token_claims *ret_claims);

/* Signs with the first key of the set, which must hold a private half or a secret:
 * TOKEN_UNKNOWN_KEY otherwise. *ret_text is malloc'ed; the caller wipes and frees it. The header is
 * exactly {"alg":"HS256","typ":"JWT"} with the key's algorithm, and its "kid" between them when it
 * has one; iss, sub and jti are not written; booking_id, topic and prefix also when empty, as
 * practable/relay does. */
MUST_USE enum token_result token_sign(const struct token_keys *keys,
                                      const struct token_claims *claims, char **ret_text);
