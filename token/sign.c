#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "token/base64url.h"
#include "token/claims.h"
#include "token/keys.h"
#include "token/token.h"

static const char header[] = "{\"alg\":\"HS256\",\"typ\":\"JWT\"}";

static size_t part_append(char *text, size_t len, struct bytes part)
{
    base64url_encode(part, text + len);
    return len + base64url_encoded_len(part.len);
}

/* The caller has made sure that text holds all of it. */
static enum token_result token_write(const struct token_keys *keys, struct bytes payload,
                                     char *text)
{
    uint8_t signature[KEYS_SIGNATURE_BYTES];
    size_t len = part_append(text, 0, bytes_of_text(header));

    text[len++] = '.';
    len = part_append(text, len, payload);

    enum token_result result = keys_sign(keys, bytes_of(text, len), signature);

    if (result != TOKEN_OK) {
        return result;
    }
    text[len++] = '.';
    part_append(text, len, bytes_of(signature, sizeof signature));
    return TOKEN_OK;
}

enum token_result token_sign(const struct token_keys *keys, const struct token_claims *claims,
                             char **ret_text)
{
    char payload[TOKEN_BYTES_MAX];
    size_t payload_len;
    enum token_result result = claims_write(claims, payload, sizeof payload, &payload_len);

    if (result != TOKEN_OK) {
        return result;
    }
    size_t len = base64url_encoded_len(sizeof header - 1) + 1 + base64url_encoded_len(payload_len) +
                 1 + base64url_encoded_len(KEYS_SIGNATURE_BYTES);

    if (len > TOKEN_BYTES_MAX) {
        return TOKEN_TOO_LONG;
    }
    char *text = malloc(len + 1);

    if (text == NULL) {
        return TOKEN_NO_MEMORY;
    }
    result = token_write(keys, bytes_of(payload, payload_len), text);
    if (result != TOKEN_OK) {
        free(text);
        return result;
    }
    *ret_text = text;
    return TOKEN_OK;
}
