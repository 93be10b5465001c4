#include "token/key_sources.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/options/secret_file.h"
#include "token/key.h"
#include "token/key_files.h"

static bool is_given(const char *text)
{
    return text != NULL && *text != '\0';
}

static bool file_is_read(const char *path, int failed, char *error)
{
    if (failed != 0) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.300s: %s", path, secret_file_reason(failed));
    }
    return failed == 0;
}

static void text_release(char *text)
{
    bytes_wipe(text, strlen(text));
    free(text);
}

static bool plain_secret_load(struct token_keys *keys, const struct key_sources *sources,
                              char *error)
{
    char *text;

    if (!is_given(sources->secret_file)) {
        return !is_given(sources->secret) ||
               token_keys_add_secret(keys, bytes_of_text(sources->secret), bytes_of_text(""),
                                     "the secret", error);
    }
    if (!file_is_read(sources->secret_file, secret_file_read_one(sources->secret_file, &text),
                      error)) {
        return false;
    }
    bool ok = token_keys_add_secret(keys, bytes_of_text(text), bytes_of_text(""),
                                    sources->secret_file, error);

    text_release(text);
    return ok;
}

static bool secrets_load(struct token_keys *keys, const char *path, char *error)
{
    char *text;

    if (!is_given(path)) {
        return true;
    }
    if (!file_is_read(path, secret_file_read(path, &text), error)) {
        return false;
    }
    bool ok = key_files_add_secrets(keys, bytes_of_text(text), path, error);

    text_release(text);
    return ok;
}

struct token_keys *key_sources_load(const struct key_sources *sources,
                                    char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct token_keys *keys = token_keys_new();

    if (keys == NULL) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    bool ok = (!is_given(sources->hmac_algorithms) ||
               token_keys_choose_hmac(keys, sources->hmac_algorithms, error)) &&
              plain_secret_load(keys, sources, error) &&
              secrets_load(keys, sources->secrets_file, error) &&
              (!is_given(sources->public_keys) ||
               key_files_add_public(keys, sources->public_keys, error));

    if (ok && token_keys_count(keys) == 0) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "no key is configured, so no token could be valid");
        ok = false;
    }
    if (!ok) {
        token_keys_unref(keys);
        return NULL;
    }
    return keys;
}

static bool private_key_init(struct key *key, const char *path, char *error)
{
    char reason[KEY_REASON_SIZE];
    char *text;

    if (!file_is_read(path, secret_file_read(path, &text), error)) {
        return false;
    }
    int failed = key_init_private(key, bytes_of_text(text), reason);

    text_release(text);
    if (failed != 0) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.300s: %s", path,
                 failed == -ENOMEM ? "out of memory" : reason);
    }
    return failed == 0;
}

static bool signer_add(struct token_keys *keys, const char *secret, const char *private_key_file,
                       struct bytes kid, char *error)
{
    struct key key;

    if (kid.len > 0 && !key_id_is_valid(kid)) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE,
                 "the kid must be at most %d printable ASCII characters without blanks",
                 TOKEN_KEY_ID_SIZE - 1);
        return false;
    }
    if (private_key_file != NULL) {
        return private_key_init(&key, private_key_file, error) &&
               token_keys_add(keys, &key, kid, private_key_file, error);
    }
    return token_keys_add_secret(keys, bytes_of_text(secret), kid, "the secret", error);
}

struct token_keys *key_sources_load_signer(const char *secret, const char *private_key_file,
                                           const char *kid,
                                           char error[static TOKEN_KEYS_ERROR_SIZE])
{
    CHECK(is_given(secret) != is_given(private_key_file));
    struct token_keys *keys = token_keys_new();

    if (keys == NULL) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    if (!signer_add(keys, secret, is_given(private_key_file) ? private_key_file : NULL,
                    bytes_of_text(kid == NULL ? "" : kid), error)) {
        token_keys_unref(keys);
        return NULL;
    }
    return keys;
}
