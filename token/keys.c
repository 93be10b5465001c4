#include "token/keys.h"

#include <jansson.h>
#include <limits.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>

struct token_keys *token_keys_create(const char *secret)
{
    size_t len = strlen(secret);

    if (len < TOKEN_SECRET_BYTES_MIN || len > INT_MAX) {
        return NULL;
    }
    struct token_keys *keys = malloc(sizeof *keys + len + 1);

    if (keys == NULL) {
        return NULL;
    }
    keys->secret_len = len;
    memcpy(keys->secret, secret, len + 1);
    /* jansson draws its hash seed at first use; here no other thread races for it and no
     * verification waits for the random source. Later calls do nothing. */
    json_object_seed(0);
    return keys;
}

void token_keys_destroy(struct token_keys *keys)
{
    if (keys != NULL) {
        bytes_wipe(keys->secret, keys->secret_len);
        free(keys);
    }
}

enum token_result keys_sign(const struct token_keys *keys, struct bytes input,
                            uint8_t ret_signature[static KEYS_SIGNATURE_BYTES])
{
    unsigned len = 0;

    if (HMAC(EVP_sha256(), keys->secret, (int)keys->secret_len, input.data, input.len,
             ret_signature, &len) == NULL ||
        len != KEYS_SIGNATURE_BYTES) {
        return TOKEN_NO_MEMORY;
    }
    return TOKEN_OK;
}
