/* Reaches token_verify, token_sign, claims_parse, claims_write, json_text_parse, base64url_decode
 * and base64url_encode. The first byte chooses: '0' the rest is a token; '1' the rest is a payload
 * that gets a genuine signature, so that the claims are read; '2' the rest fills claims, which must
 * be signed, verified and read back the same. */
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "token/base64url.h"
#include "token/key.h"
#include "token/key_sources.h"
#include "token/token.h"

enum { NOW_S = 1658306107, MODES = 3 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_round_trip(const struct token_keys *keys, const struct token_claims *claims)
{
    struct token_claims back;
    char *text;
    enum token_result result = token_sign(keys, claims, &text);

    if (result != TOKEN_OK) {
        CHECK(result == TOKEN_MALFORMED || result == TOKEN_TOO_LONG);
        return;
    }
    CHECK(token_verify(keys, bytes_of_text(text), NOW_S, &back) == TOKEN_OK);
    CHECK(memcmp(&back, claims, sizeof back) == 0);
    free(text);
}

static void verify_any(const struct token_keys *keys, struct bytes text)
{
    struct token_claims claims;

    memset(&claims, 0xa5, sizeof claims);
    struct token_claims untouched = claims;

    enum token_result result = token_verify(keys, text, NOW_S, &claims);

    if (result == TOKEN_OK) {
        expect_round_trip(keys, &claims);
    } else if (result != TOKEN_EXPIRED && result != TOKEN_TOO_EARLY) {
        CHECK(memcmp(&claims, &untouched, sizeof claims) == 0);
    }
}

static void verify_payload(const struct token_keys *keys, struct bytes payload)
{
    static const char header[] = "eyJhbGciOiJIUzI1NiJ9.";
    size_t head_len = sizeof header - 1;
    size_t signed_len = head_len + base64url_encoded_len(payload.len);
    char *text = malloc(signed_len + 1 + base64url_encoded_len(KEY_HMAC_BYTES_MAX) + 1);
    uint8_t signature[KEY_SIGNATURE_BYTES_MAX];

    CHECK(text != NULL);
    memcpy(text, header, head_len);
    base64url_encode(payload, text + head_len);
    CHECK(key_sign(token_keys_at(keys, 0), bytes_of(text, signed_len), signature) == TOKEN_OK);
    text[signed_len] = '.';
    base64url_encode(bytes_of(signature, key_signature_len(token_keys_at(keys, 0))),
                     text + signed_len + 1);
    verify_any(keys, bytes_of_text(text));
    free(text);
}

/* Up to the next NUL or as much as fits. */
static void text_take(struct bytes *in, char *text, size_t text_size)
{
    size_t len = bytes_find(*in, '\0');

    len = len < text_size ? len : text_size - 1;
    if (len > 0) {
        memcpy(text, in->data, len);
    }
    *in = bytes_skip(*in, len + 1);
}

static unsigned number_take(struct bytes *in, unsigned end)
{
    unsigned value = in->len == 0 ? 0 : in->data[0] % end;

    *in = bytes_skip(*in, 1);
    return value;
}

static void claims_round_trip(const struct token_keys *keys, struct bytes in)
{
    struct token_claims claims = {
        .exp_s = NOW_S + 1 + ((int64_t)number_take(&in, 256) << number_take(&in, 40)),
        .nbf_s = NOW_S + 30 - ((int64_t)number_take(&in, 256) << number_take(&in, 40)),
        .iat_s = NOW_S + 30 - ((int64_t)number_take(&in, 256) << number_take(&in, 40)),
        .scopes_count = number_take(&in, TOKEN_SCOPES_MAX + 1),
        .audiences_count = number_take(&in, TOKEN_AUDIENCES_MAX + 1),
    };

    text_take(&in, claims.booking_id, sizeof claims.booking_id);
    text_take(&in, claims.topic, sizeof claims.topic);
    text_take(&in, claims.prefix, sizeof claims.prefix);
    for (unsigned i = 0; i < claims.scopes_count; i++) {
        text_take(&in, claims.scopes[i], TOKEN_SCOPE_SIZE);
    }
    for (unsigned i = 0; i < claims.audiences_count; i++) {
        text_take(&in, claims.audiences[i], TOKEN_TEXT_SIZE);
    }
    expect_round_trip(keys, &claims);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes in = bytes_of(data, size);
    unsigned mode = number_take(&in, MODES);
    const struct key_sources sources = {
        .secret = "xxx000", .hmac_algorithms = size % 2 == 0 ? "HS256" : "HS256,HS384,HS512"};
    char error[TOKEN_KEYS_ERROR_SIZE];
    struct token_keys *keys = key_sources_load(&sources, error);

    CHECK(keys != NULL);
    if (mode == 0) {
        verify_any(keys, in);
    } else if (mode == 1) {
        verify_payload(keys, in);
    } else {
        claims_round_trip(keys, in);
    }
    token_keys_destroy(keys);
    return 0;
}
