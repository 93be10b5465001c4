/* Reaches key_files_add_secrets, key_init_public, key_init_private and token_inspect. The first
 * byte chooses: '0' the rest is a secrets file; '1' a PEM file of a public key; '2' of a private
 * key; '3' a token to explain; '4' header, newline and payload of a token to explain that is
 * genuine. */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "token/base64url.h"
#include "token/inspect.h"
#include "token/key.h"
#include "token/key_files.h"
#include "token/token.h"

enum { NOW_S = 1658306107, MODES = 5 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void expect_plain(const char *text, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        CHECK((text[i] >= ' ' && text[i] < 0x7f) || text[i] == '\n');
    }
}

static void expect_one_line(const char *text)
{
    CHECK(*text != '\0');
    CHECK(strchr(text, '\n') == NULL);
}

/* Every key of the file signs and is found again by its name. */
static void read_secrets(struct bytes text)
{
    static const struct token_claims claims = {.exp_s = NOW_S + 1, .nbf_s = NOW_S, .iat_s = NOW_S};
    struct token_claims back;
    char error[TOKEN_KEYS_ERROR_SIZE] = "";
    struct token_keys *keys = token_keys_new();
    const struct key *key;

    CHECK(keys != NULL);
    CHECK(token_keys_choose_hmac(keys, text.len % 2 == 0 ? "HS256" : "HS256,HS384,HS512", error));
    if (!key_files_add_secrets(keys, text, "file", error)) {
        expect_one_line(error);
    } else if (token_keys_count(keys) > 0) {
        char *token;

        CHECK(token_keys_at(keys, token_keys_count(keys) * (text.len % 2 == 0 ? 1 : 3)) == NULL);
        CHECK(token_sign(keys, &claims, &token) == TOKEN_OK);
        CHECK(token_verify(keys, bytes_of_text(token), NOW_S, &back) == TOKEN_OK);
        free(token);
    }
    for (unsigned i = 0; (key = token_keys_at(keys, i)) != NULL; i++) {
        CHECK(key->id[0] == '\0' || key_id_is_valid(bytes_of_text(key->id)));
    }
    token_keys_unref(keys);
}

static void read_key(struct bytes pem, bool is_private)
{
    char reason[KEY_REASON_SIZE];
    struct key key = {0};
    int failed =
        is_private ? key_init_private(&key, pem, reason) : key_init_public(&key, pem, reason);

    if (failed == 0) {
        CHECK(key.can_sign == is_private);
        CHECK(strstr(key.material, "PRIVATE KEY") == NULL);
        CHECK(key_verify(&key, pem, pem) == TOKEN_BAD_SIGNATURE);
    } else {
        expect_one_line(reason);
    }
    key_deinit(&key);
}

static void explain(const struct token_keys *keys, struct bytes token)
{
    const struct token_inspection inspection = {.keys = keys, .now_s = NOW_S};
    struct token_claims claims;
    char *text = NULL;
    size_t len;
    FILE *out = open_memstream(&text, &len);

    CHECK(out != NULL);
    bool valid = token_inspect(&inspection, token, out);

    CHECK(fclose(out) == 0);
    CHECK(valid == (token_verify(keys, token, NOW_S, &claims) == TOKEN_OK));
    expect_plain(text, len);
    free(text);
}

static void explain_genuine(const struct token_keys *keys, struct bytes in)
{
    size_t header_len = bytes_find(in, '\n');
    struct bytes header = bytes_of(in.data, header_len), payload = bytes_skip(in, header_len + 1);
    size_t len = base64url_encoded_len(header.len);
    size_t size = len + 1 + base64url_encoded_len(payload.len) + 1 +
                  base64url_encoded_len(KEY_HMAC_BYTES_MAX) + 1;
    char *token = malloc(size);
    uint8_t signature[KEY_SIGNATURE_BYTES_MAX];

    CHECK(token != NULL);
    base64url_encode(header, token);
    token[len++] = '.';
    base64url_encode(payload, token + len);
    len += base64url_encoded_len(payload.len);
    CHECK(key_sign(token_keys_at(keys, 0), bytes_of(token, len), signature) == TOKEN_OK);
    token[len++] = '.';
    base64url_encode(bytes_of(signature, key_signature_len(token_keys_at(keys, 0))), token + len);
    explain(keys, bytes_of_text(token));
    free(token);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    unsigned mode = size == 0 ? 0 : (data[0] - (unsigned)'0') % MODES;
    struct bytes in = bytes_skip(bytes_of(data, size), 1);

    if (mode == 0) {
        read_secrets(in);
        return 0;
    }
    if (mode < 3) {
        read_key(in, mode == 2);
        return 0;
    }
    struct token_keys *keys = token_keys_create("xxx000");

    CHECK(keys != NULL);
    if (mode == 3) {
        explain(keys, in);
    } else {
        explain_genuine(keys, in);
    }
    token_keys_unref(keys);
    return 0;
}
