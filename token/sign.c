#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "token/base64url.h"
#include "token/claims.h"
#include "token/key.h"
#include "token/token.h"

enum { HEADER_SIZE = 64 + 2 * TOKEN_KEY_ID_SIZE }; /* a kid of quotes needs two bytes for each */

struct parts {
    char header[HEADER_SIZE];
    size_t header_len;
    char payload[TOKEN_BYTES_MAX];
    size_t payload_len;
};

static size_t part_append(char *text, size_t len, struct bytes part)
{
    base64url_encode(part, text + len);
    return len + base64url_encoded_len(part.len);
}

/* The caller has made sure that text holds all of it. */
static enum token_result token_write(const struct key *key, const struct parts *parts, char *text)
{
    uint8_t signature[KEY_SIGNATURE_BYTES_MAX];
    size_t len = part_append(text, 0, bytes_of(parts->header, parts->header_len));

    text[len++] = '.';
    len = part_append(text, len, bytes_of(parts->payload, parts->payload_len));

    enum token_result result = key_sign(key, bytes_of(text, len), signature);

    if (result != TOKEN_OK) {
        return result;
    }
    text[len++] = '.';
    part_append(text, len, bytes_of(signature, key_signature_len(key)));
    return TOKEN_OK;
}

/* Written by hand, because a kid of printable ASCII needs only quotes and backslashes escaped. */
static void header_write(const struct key *key, struct parts *parts)
{
    char *header = parts->header;
    int len =
        snprintf(header, HEADER_SIZE, "{\"alg\":\"%s\"", token_algorithm_text(key->algorithm));

    for (const char *c = key->id; *c != '\0'; c++) {
        len += snprintf(header + len, (size_t)(HEADER_SIZE - len), "%s%s%c",
                        c == key->id ? ",\"kid\":\"" : "", *c == '"' || *c == '\\' ? "\\" : "", *c);
    }
    len += snprintf(header + len, (size_t)(HEADER_SIZE - len), "%s,\"typ\":\"JWT\"}",
                    key->id[0] == '\0' ? "" : "\"");
    CHECK(len < HEADER_SIZE);
    parts->header_len = (size_t)len;
}

enum token_result token_sign(const struct token_keys *keys, const struct token_claims *claims,
                             char **ret_text)
{
    const struct key *key = token_keys_at(keys, 0);
    struct parts parts;
    enum token_result result =
        claims_write(claims, parts.payload, sizeof parts.payload, &parts.payload_len);

    if (key == NULL || !key->can_sign) {
        return TOKEN_UNKNOWN_KEY;
    }
    if (result != TOKEN_OK) {
        return result;
    }
    header_write(key, &parts);
    size_t len = base64url_encoded_len(parts.header_len) + 1 +
                 base64url_encoded_len(parts.payload_len) + 1 +
                 base64url_encoded_len(key_signature_len(key));

    if (len > TOKEN_BYTES_MAX) {
        return TOKEN_TOO_LONG;
    }
    char *text = malloc(len + 1);

    if (text == NULL) {
        return TOKEN_NO_MEMORY;
    }
    result = token_write(key, &parts, text);
    if (result != TOKEN_OK) {
        free(text);
        return result;
    }
    *ret_text = text;
    return TOKEN_OK;
}
