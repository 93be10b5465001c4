/* Tokens put together by hand, so that tests can make what token_sign never would. */
#pragma once

#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "token/base64url.h"

static inline char *craft_base64url(struct bytes bytes)
{
    char *text = malloc(base64url_encoded_len(bytes.len) + 1);

    CHECK(text != NULL);
    base64url_encode(bytes, text);
    return text;
}

static inline char *craft_join(char *left, char *right)
{
    size_t size = strlen(left) + 1 + strlen(right) + 1;
    char *joined = malloc(size);

    CHECK(joined != NULL);
    snprintf(joined, size, "%s.%s", left, right);
    free(left);
    free(right);
    return joined;
}

/* header.payload.HMAC, whatever the header says. The caller frees. */
static inline char *craft_token_bytes(struct bytes header, struct bytes payload, const char *secret,
                                      const EVP_MD *digest)
{
    uint8_t signature[EVP_MAX_MD_SIZE];
    unsigned signature_len;
    char *input = craft_join(craft_base64url(header), craft_base64url(payload));

    CHECK(HMAC(digest, secret, (int)strlen(secret), (const uint8_t *)input, strlen(input),
               signature, &signature_len) != NULL);
    return craft_join(input, craft_base64url(bytes_of(signature, signature_len)));
}

static inline char *craft_token(const char *header, const char *payload, const char *secret)
{
    return craft_token_bytes(bytes_of_text(header), bytes_of_text(payload), secret, EVP_sha256());
}
