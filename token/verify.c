#include "token/verify.h"

#include <errno.h>
#include <jansson.h>
#include <jwt.h>
#include <openssl/err.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "token/base64url.h"
#include "token/claims.h"
#include "token/json_text.h"

/* Why two verifiers look at each token, and in this order: docs/decisions/0003. */

enum verify_sizes { PART_BYTES_MAX = TOKEN_BYTES_MAX / 4 * 3 + 3 };

/* The header's claims about the key. */
struct header {
    enum token_algorithm algorithm; /* TOKEN_ALGORITHM_COUNT: none that we know */
    bool has_kid;
    bool is_for_libjwt;          /* which takes no typ but JWT */
    char kid[TOKEN_KEY_ID_SIZE]; /* empty also when it is longer than any key's */
};

const char *token_result_text(enum token_result result)
{
    static const char *const texts[TOKEN_RESULT_COUNT] = {
        [TOKEN_OK] = "token accepted",
        [TOKEN_TOO_LONG] = "token or one of its claims too long",
        [TOKEN_MALFORMED] = "token malformed",
        [TOKEN_BAD_ALGORITHM] = "token algorithm not accepted",
        [TOKEN_UNKNOWN_KEY] = "token names an unknown key",
        [TOKEN_BAD_SIGNATURE] = "token signature wrong",
        [TOKEN_EXPIRED] = "token expired",
        [TOKEN_TOO_EARLY] = "token not valid yet",
        [TOKEN_INCOMPLETE] = "token lacks exp, nbf or iat",
        [TOKEN_NO_MEMORY] = "out of memory",
    };

    CHECK(result < TOKEN_RESULT_COUNT);
    return texts[result];
}

bool verify_split(struct bytes text, struct token_parts *ret_parts)
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

/* crit names extensions that a verifier must understand (RFC 7515 §4.1.11): we know none. typ is
 * for applications that get several kinds of tokens (RFC 7519 §5.1), which this one does not: it is
 * ignored. Returns the member that is malformed, or NULL. */
static const char *header_fault(const json_t *header)
{
    const json_t *kid = json_text_member(header, "kid");

    if (!json_is_string(json_text_member(header, "alg"))) {
        return "alg";
    }
    if (json_object_get(header, "crit") != NULL) {
        return "crit";
    }
    return kid == NULL || json_is_string(kid) ? NULL : "kid";
}

static enum token_algorithm algorithm_of_text(const char *text)
{
    enum token_algorithm algorithm = 0;

    while (algorithm < TOKEN_ALGORITHM_COUNT &&
           strcmp(text, token_algorithm_text(algorithm)) != 0) {
        algorithm++;
    }
    return algorithm;
}

static void header_take(const json_t *object, struct header *ret_header)
{
    const json_t *kid = json_text_member(object, "kid");
    const json_t *type = json_text_member(object, "typ");

    *ret_header = (struct header){
        .algorithm = algorithm_of_text(json_string_value(json_text_member(object, "alg"))),
        .has_kid = kid != NULL,
        .is_for_libjwt = type == NULL ||
                         (json_is_string(type) &&
                          bytes_equal_text_nocase(bytes_of_text(json_string_value(type)), "JWT")),
    };
    if (kid != NULL && bytes_to_text(bytes_of_text(json_string_value(kid)), ret_header->kid,
                                     sizeof ret_header->kid) != 0) {
        ret_header->kid[0] = '\0';
    }
}

static enum token_result header_read(struct bytes part, struct header *ret_header,
                                     const char **ret_member)
{
    uint8_t text[PART_BYTES_MAX];
    size_t len;
    json_t *object;

    *ret_member = "header";
    if (base64url_decode(part, text, sizeof text, &len) != 0) {
        return TOKEN_MALFORMED;
    }
    enum token_result result = json_text_parse(bytes_of(text, len), &object);

    if (result != TOKEN_OK) {
        return result;
    }
    *ret_member = header_fault(object);
    if (*ret_member == NULL) {
        header_take(object, ret_header);
    }
    json_decref(object);
    return *ret_member == NULL ? TOKEN_OK : TOKEN_MALFORMED;
}

/* Which keys may answer for the token. */
struct choice {
    enum token_algorithm algorithm;
    const char *id; /* NULL: whatever their names */
};

static bool key_is_chosen(const struct key *key, const struct choice *choice)
{
    return key->algorithm == choice->algorithm &&
           (choice->id == NULL || strcmp(key->id, choice->id) == 0);
}

static bool any_is_chosen(const struct token_keys *keys, const struct choice *choice)
{
    const struct key *key;

    for (unsigned i = 0; (key = token_keys_at(keys, i)) != NULL; i++) {
        if (key_is_chosen(key, choice)) {
            return true;
        }
    }
    return false;
}

static bool id_is_taken(const struct token_keys *keys, const char *id)
{
    const struct key *key;

    for (unsigned i = 0; *id != '\0' && (key = token_keys_at(keys, i)) != NULL; i++) {
        if (strcmp(key->id, id) == 0) {
            return true;
        }
    }
    return false;
}

/* A kid that no key has leaves the keys without a name, since issuers for a relay of one secret may
 * have written what they like. */
static enum token_result choice_make(const struct token_keys *keys, const struct header *header,
                                     struct choice *ret_choice, const char **ret_member)
{
    struct choice choice = {.algorithm = header->algorithm};

    *ret_member = "alg";
    if (!any_is_chosen(keys, &choice)) {
        return TOKEN_BAD_ALGORITHM;
    }
    if (header->has_kid) {
        bool taken = id_is_taken(keys, header->kid);

        choice.id = taken ? header->kid : "";
        if (!any_is_chosen(keys, &choice)) {
            *ret_member = taken ? "alg" : "kid";
            return taken ? TOKEN_BAD_ALGORITHM : TOKEN_UNKNOWN_KEY;
        }
    }
    *ret_choice = choice;
    *ret_member = NULL;
    return TOKEN_OK;
}

/* Goes on after a hit, so that the time does not tell which secret it was. */
static enum token_result signature_verify(const struct token_keys *keys,
                                          const struct choice *choice,
                                          const struct token_parts *parts,
                                          const struct key **ret_key)
{
    uint8_t given[PART_BYTES_MAX];
    size_t given_len;
    const struct key *key, *found = NULL;

    if (base64url_decode(parts->signature, given, sizeof given, &given_len) != 0) {
        return TOKEN_MALFORMED;
    }
    for (unsigned i = 0; (key = token_keys_at(keys, i)) != NULL; i++) {
        enum token_result result = TOKEN_BAD_SIGNATURE;

        if (key_is_chosen(key, choice)) {
            result = key_verify(key, parts->signed_text, bytes_of(given, given_len));
        }
        if (result == TOKEN_NO_MEMORY) {
            bytes_wipe(given, given_len);
            return result;
        }
        found = result == TOKEN_OK ? key : found;
    }
    bytes_wipe(given, given_len);
    *ret_key = found;
    return found == NULL ? TOKEN_BAD_SIGNATURE : TOKEN_OK;
}

static enum token_result claims_take(struct bytes part, struct token_claims *ret_claims,
                                     const char **ret_member)
{
    uint8_t json[PART_BYTES_MAX];
    size_t len;

    *ret_member = "claims";
    if (base64url_decode(part, json, sizeof json, &len) != 0) {
        return TOKEN_MALFORMED;
    }
    const char *claim;
    enum token_result result = claims_explain(bytes_of(json, len), ret_claims, &claim);

    bytes_wipe(json, len);
    *ret_member = result == TOKEN_OK ? NULL : claim == NULL ? "claims" : claim;
    return result;
}

/* JWT_ALG_TERM for what libjwt 1.x does not know. */
static jwt_alg_t jwt_algorithm_of(const struct key *key)
{
    static const jwt_alg_t algorithms[TOKEN_ALGORITHM_COUNT] = {
        [TOKEN_HS256] = JWT_ALG_HS256, [TOKEN_EDDSA] = JWT_ALG_TERM,  [TOKEN_ES256] = JWT_ALG_ES256,
        [TOKEN_RS256] = JWT_ALG_RS256, [TOKEN_HS384] = JWT_ALG_HS384, [TOKEN_HS512] = JWT_ALG_HS512,
    };

    return algorithms[key->algorithm];
}

static enum token_result jwt_agree(const struct key *key, struct bytes text)
{
    char terminated[TOKEN_BYTES_MAX + 1];
    jwt_t *jwt = NULL;

    if (jwt_algorithm_of(key) == JWT_ALG_TERM) {
        return TOKEN_OK;
    }
    memcpy(terminated, text.data, text.len);
    terminated[text.len] = '\0';

    int failed =
        jwt_decode(&jwt, terminated, (const unsigned char *)key->material, (int)key->material_len);
    bool agreed = failed == 0 && jwt_get_alg(jwt) == jwt_algorithm_of(key);

    jwt_free(jwt);
    bytes_wipe(terminated, text.len);
    if (failed == ENOMEM) {
        return TOKEN_NO_MEMORY;
    }
    return agreed ? TOKEN_OK : TOKEN_BAD_SIGNATURE;
}

static enum token_result times_check(const struct token_claims *claims, int64_t now_s,
                                     const char **ret_member)
{
    if (claims->exp_s <= now_s) {
        *ret_member = "exp";
        return TOKEN_EXPIRED;
    }
    if (claims->nbf_s - TOKEN_LEEWAY_S > now_s || claims->iat_s - TOKEN_LEEWAY_S > now_s) {
        *ret_member = claims->nbf_s - TOKEN_LEEWAY_S > now_s ? "nbf" : "iat";
        return TOKEN_TOO_EARLY;
    }
    return TOKEN_OK;
}

static enum token_result key_find(const struct token_keys *keys, const struct token_parts *parts,
                                  struct header *ret_header, struct token_explanation *explanation)
{
    struct choice choice;
    enum token_result result = header_read(parts->header, ret_header, &explanation->member);

    if (result == TOKEN_OK) {
        result = choice_make(keys, ret_header, &choice, &explanation->member);
    }
    if (result == TOKEN_OK) {
        result = signature_verify(keys, &choice, parts, &explanation->key);
        explanation->member = result == TOKEN_OK ? NULL : "signature";
    }
    return result;
}

static enum token_result text_verify(const struct token_keys *keys, struct bytes text,
                                     struct token_claims *ret_claims,
                                     struct token_explanation *explanation)
{
    struct token_parts parts;
    struct header header;

    if (text.len > TOKEN_BYTES_MAX) {
        return TOKEN_TOO_LONG;
    }
    if (!verify_split(text, &parts)) {
        return TOKEN_MALFORMED;
    }
    enum token_result result = key_find(keys, &parts, &header, explanation);

    if (result == TOKEN_OK) {
        result = claims_take(parts.payload, ret_claims, &explanation->member);
    }
    return result == TOKEN_OK && header.is_for_libjwt ? jwt_agree(explanation->key, text) : result;
}

enum token_result verify_explain(const struct token_keys *keys, struct bytes text, int64_t now_s,
                                 struct token_claims *ret_claims,
                                 struct token_explanation *ret_explanation)
{
    struct token_claims claims;

    *ret_explanation = (struct token_explanation){0};
    /* A refusal must not leave an error behind for the TLS of the same thread to find. */
    ERR_set_mark();
    enum token_result result = text_verify(keys, text, &claims, ret_explanation);

    ERR_pop_to_mark();
    if (result == TOKEN_OK) {
        *ret_claims = claims;
        result = times_check(&claims, now_s, &ret_explanation->member);
    }
    return result;
}

enum token_result token_verify(const struct token_keys *keys, struct bytes text, int64_t now_s,
                               struct token_claims *ret_claims)
{
    struct token_explanation explanation;

    return verify_explain(keys, text, now_s, ret_claims, &explanation);
}
