#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "token/base64url.h"
#include "token/claims.h"
#include "token/json_text.h"
#include "token/keys.h"
#include "token/token.h"

/* Why two verifiers look at each token, and in this order: docs/decisions/0003. */

enum verify_sizes { PART_BYTES_MAX = TOKEN_BYTES_MAX / 4 * 3 + 3 };

struct token_parts {
    struct bytes header;
    struct bytes payload;
    struct bytes signature;
    struct bytes signed_text; /* header.payload as they stand in the token */
};

const char *token_result_text(enum token_result result)
{
    static const char *const texts[TOKEN_RESULT_COUNT] = {
        [TOKEN_OK] = "token accepted",
        [TOKEN_TOO_LONG] = "token or one of its claims too long",
        [TOKEN_MALFORMED] = "token malformed",
        [TOKEN_BAD_ALGORITHM] = "token algorithm not accepted",
        [TOKEN_BAD_SIGNATURE] = "token signature wrong",
        [TOKEN_EXPIRED] = "token expired",
        [TOKEN_TOO_EARLY] = "token not valid yet",
        [TOKEN_INCOMPLETE] = "token lacks exp, nbf or iat",
        [TOKEN_NO_MEMORY] = "out of memory",
    };

    CHECK(result < TOKEN_RESULT_COUNT);
    return texts[result];
}

/* A third dot stays in the signature, where decoding refuses it. */
static bool token_split(struct bytes text, struct token_parts *ret_parts)
{
    size_t header_len = bytes_find(text, '.');
    struct bytes rest = bytes_skip(text, header_len + 1);
    size_t payload_len = bytes_find(rest, '.');

    if (header_len == 0 || payload_len == 0 || payload_len == rest.len) {
        return false;
    }
    *ret_parts = (struct token_parts){
        .header = bytes_of(text.data, header_len),
        .payload = bytes_of(rest.data, payload_len),
        .signature = bytes_skip(rest, payload_len + 1),
        .signed_text = bytes_of(text.data, header_len + 1 + payload_len),
    };
    return true;
}

/* crit names extensions that a verifier must understand (RFC 7515 §4.1.11): we know none. */
static enum token_result header_check(const json_t *header)
{
    const json_t *algorithm = json_text_member(header, "alg");
    const json_t *type = json_text_member(header, "typ");

    if (!json_is_string(algorithm) || json_object_get(header, "crit") != NULL) {
        return TOKEN_MALFORMED;
    }
    if (type != NULL && (!json_is_string(type) ||
                         !bytes_equal_text_nocase(bytes_of_text(json_string_value(type)), "JWT"))) {
        return TOKEN_MALFORMED;
    }
    return strcmp(json_string_value(algorithm), "HS256") == 0 ? TOKEN_OK : TOKEN_BAD_ALGORITHM;
}

static enum token_result algorithm_verify(struct bytes part)
{
    uint8_t text[PART_BYTES_MAX];
    size_t len;
    json_t *header;

    if (base64url_decode(part, text, sizeof text, &len) != 0) {
        return TOKEN_MALFORMED;
    }
    enum token_result result = json_text_parse(bytes_of(text, len), &header);

    if (result != TOKEN_OK) {
        return result;
    }
    result = header_check(header);
    json_decref(header);
    return result;
}

static enum token_result signature_verify(const struct token_keys *keys,
                                          const struct token_parts *parts)
{
    uint8_t expected[KEYS_SIGNATURE_BYTES];
    uint8_t given[PART_BYTES_MAX];
    size_t given_len;

    if (base64url_decode(parts->signature, given, sizeof given, &given_len) != 0) {
        return TOKEN_MALFORMED;
    }
    enum token_result result = keys_sign(keys, parts->signed_text, expected);

    if (result == TOKEN_OK &&
        !bytes_equal_secret(bytes_of(given, given_len), bytes_of(expected, sizeof expected))) {
        result = TOKEN_BAD_SIGNATURE;
    }
    /* A correct signature that the peer did not know must not stay on the stack. */
    bytes_wipe(expected, sizeof expected);
    return result;
}

static enum token_result claims_take(struct bytes part, struct token_claims *ret_claims)
{
    uint8_t json[PART_BYTES_MAX];
    size_t len;

    if (base64url_decode(part, json, sizeof json, &len) != 0) {
        return TOKEN_MALFORMED;
    }
    return claims_parse(bytes_of(json, len), ret_claims);
}

static enum token_result jwt_agree(const struct token_keys *keys, struct bytes text)
{
    char terminated[TOKEN_BYTES_MAX + 1];
    jwt_t *jwt = NULL;

    memcpy(terminated, text.data, text.len);
    terminated[text.len] = '\0';

    int failed =
        jwt_decode(&jwt, terminated, (const unsigned char *)keys->secret, (int)keys->secret_len);
    bool agreed = failed == 0 && jwt_get_alg(jwt) == JWT_ALG_HS256;

    jwt_free(jwt);
    bytes_wipe(terminated, text.len);
    if (failed == ENOMEM) {
        return TOKEN_NO_MEMORY;
    }
    return agreed ? TOKEN_OK : TOKEN_BAD_SIGNATURE;
}

static enum token_result times_check(const struct token_claims *claims, int64_t now_s)
{
    if (claims->exp_s <= now_s) {
        return TOKEN_EXPIRED;
    }
    if (claims->nbf_s - TOKEN_LEEWAY_S > now_s || claims->iat_s - TOKEN_LEEWAY_S > now_s) {
        return TOKEN_TOO_EARLY;
    }
    return TOKEN_OK;
}

enum token_result token_verify(const struct token_keys *keys, struct bytes text, int64_t now_s,
                               struct token_claims *ret_claims)
{
    struct token_parts parts;
    struct token_claims claims;

    if (text.len > TOKEN_BYTES_MAX) {
        return TOKEN_TOO_LONG;
    }
    if (!token_split(text, &parts)) {
        return TOKEN_MALFORMED;
    }
    enum token_result result = algorithm_verify(parts.header);

    if (result == TOKEN_OK) {
        result = signature_verify(keys, &parts);
    }
    if (result == TOKEN_OK) {
        result = claims_take(parts.payload, &claims);
    }
    if (result == TOKEN_OK) {
        result = jwt_agree(keys, text);
    }
    if (result == TOKEN_OK) {
        result = times_check(&claims, now_s);
    }
    if (result == TOKEN_OK) {
        *ret_claims = claims;
    }
    return result;
}
