#include "token/token_keys.h"

#include <errno.h>
#include <jansson.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/options/secret_file.h"
#include "token/keys.h"

struct token_keys *keys_new(void)
{
    struct token_keys *keys = calloc(1, sizeof *keys);

    if (keys == NULL) {
        return NULL;
    }
    atomic_init(&keys->references, 1);
    keys->serves[TOKEN_HS256] = true;
    /* jansson draws its hash seed at first use; here no other thread races for it and no
     * verification waits for the random source. Later calls do nothing. */
    json_object_seed(0);
    return keys;
}

static const struct key *key_of_id(const struct token_keys *keys, struct bytes id)
{
    for (unsigned i = 0; i < keys->count; i++) {
        if (bytes_equal_text(id, keys->list[i].id)) {
            return &keys->list[i];
        }
    }
    return NULL;
}

static bool key_name(struct key *key, struct bytes id, const char *origin, char *error)
{
    key->origin = strdup(origin);
    if (key->origin == NULL) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "out of memory");
        return false;
    }
    CHECK(bytes_to_text(id, key->id, sizeof key->id) == 0);
    return true;
}

static void keys_take(struct token_keys *keys, struct key *key)
{
    CHECK(keys->count < ARRAY_LENGTH(keys->list));
    keys->list[keys->count++] = *key;
    *key = (struct key){0};
}

static bool key_label(const struct token_keys *keys, struct key *key, struct bytes id,
                      const char *origin, char *error)
{
    if (keys->given == TOKEN_KEYS_MAX) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.300s: more than %d keys", origin, TOKEN_KEYS_MAX);
        return false;
    }
    const struct key *other = id.len == 0 ? NULL : key_of_id(keys, id);

    if (other != NULL) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.200s: the key %s is already in %.200s", origin,
                 other->id, other->origin);
        return false;
    }
    return key_name(key, id, origin, error);
}

bool keys_add(struct token_keys *keys, struct key *key, struct bytes id, const char *origin,
              char error[static TOKEN_KEYS_ERROR_SIZE])
{
    if (!key_label(keys, key, id, origin, error)) {
        key_deinit(key);
        return false;
    }
    keys->given++;
    keys_take(keys, key);
    return true;
}

static bool algorithm_choose(struct token_keys *keys, struct bytes name)
{
    for (enum token_algorithm algorithm = 0; algorithm < TOKEN_ALGORITHM_COUNT; algorithm++) {
        if (key_algorithm_is_hmac(algorithm) &&
            bytes_equal_text(name, token_algorithm_text(algorithm))) {
            keys->serves[algorithm] = true;
            return true;
        }
    }
    return false;
}

bool keys_choose_hmac(struct token_keys *keys, const char *list,
                      char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct bytes rest = bytes_of_text(list);

    memset(keys->serves, 0, sizeof keys->serves);
    do {
        size_t len = bytes_find(rest, ',');

        if (!algorithm_choose(keys, bytes_trim(bytes_of(rest.data, len)))) {
            snprintf(error, TOKEN_KEYS_ERROR_SIZE,
                     "RELAY_HMAC_ALGORITHMS can have HS256, HS384 and HS512, separated by commas, "
                     "but is %.200s",
                     list);
            return false;
        }
        rest = bytes_skip(rest, len + 1);
    } while (rest.len > 0);
    return true;
}

/* is_given: this key is what the operator gave; others are the same secret for one more algorithm.
 */
static bool secret_put(struct token_keys *keys, struct bytes secret, enum token_algorithm algorithm,
                       bool is_given, struct bytes id, const char *origin, char *error)
{
    struct key key;

    if (key_init_secret(&key, secret, algorithm) != 0) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "out of memory");
        return false;
    }
    if (is_given) {
        return keys_add(keys, &key, id, origin, error);
    }
    if (!key_name(&key, id, origin, error)) {
        key_deinit(&key);
        return false;
    }
    keys_take(keys, &key);
    return true;
}

bool keys_add_secret(struct token_keys *keys, struct bytes secret, struct bytes id,
                     const char *origin, char error[static TOKEN_KEYS_ERROR_SIZE])
{
    bool ok = true;
    bool is_first = true;

    if (secret.len < TOKEN_SECRET_BYTES_MIN || secret.len > INT_MAX) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "%.300s: the secret is empty or too long", origin);
        return false;
    }
    for (enum token_algorithm algorithm = 0; ok && algorithm < TOKEN_ALGORITHM_COUNT; algorithm++) {
        if (keys->serves[algorithm]) {
            ok = secret_put(keys, secret, algorithm, is_first, id, origin, error);
            is_first = false;
        }
    }
    return ok;
}

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

static bool plain_secret_load(struct token_keys *keys, const struct token_keys_sources *sources,
                              char *error)
{
    char *text;

    if (!is_given(sources->secret_file)) {
        return !is_given(sources->secret) ||
               keys_add_secret(keys, bytes_of_text(sources->secret), bytes_of_text(""),
                               "the secret", error);
    }
    if (!file_is_read(sources->secret_file, secret_file_read_one(sources->secret_file, &text),
                      error)) {
        return false;
    }
    bool ok =
        keys_add_secret(keys, bytes_of_text(text), bytes_of_text(""), sources->secret_file, error);

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
    bool ok = keys_add_secrets(keys, bytes_of_text(text), path, error);

    text_release(text);
    return ok;
}

struct token_keys *token_keys_load(const struct token_keys_sources *sources,
                                   char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct token_keys *keys = keys_new();

    if (keys == NULL) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "out of memory");
        return NULL;
    }
    bool ok =
        (!is_given(sources->hmac_algorithms) ||
         keys_choose_hmac(keys, sources->hmac_algorithms, error)) &&
        plain_secret_load(keys, sources, error) &&
        secrets_load(keys, sources->secrets_file, error) &&
        (!is_given(sources->public_keys) || keys_add_public(keys, sources->public_keys, error));

    if (ok && keys->count == 0) {
        snprintf(error, TOKEN_KEYS_ERROR_SIZE, "no key is configured, so no token could be valid");
        ok = false;
    }
    if (!ok) {
        token_keys_unref(keys);
        return NULL;
    }
    return keys;
}

struct token_keys *token_keys_create(const char *secret)
{
    char error[TOKEN_KEYS_ERROR_SIZE];
    struct token_keys *keys = keys_new();

    if (keys != NULL &&
        !keys_add_secret(keys, bytes_of_text(secret), bytes_of_text(""), "the secret", error)) {
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
               keys_add(keys, &key, kid, private_key_file, error);
    }
    return keys_add_secret(keys, bytes_of_text(secret), kid, "the secret", error);
}

struct token_keys *token_keys_load_signer(const char *secret, const char *private_key_file,
                                          const char *kid, char error[static TOKEN_KEYS_ERROR_SIZE])
{
    CHECK(is_given(secret) != is_given(private_key_file));
    struct token_keys *keys = keys_new();

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

struct token_keys *token_keys_ref(struct token_keys *keys)
{
    unsigned before = atomic_fetch_add_explicit(&keys->references, 1, memory_order_relaxed);

    CHECK(before > 0 && before < UINT_MAX);
    return keys;
}

void token_keys_unref(struct token_keys *keys)
{
    if (keys == NULL) {
        return;
    }
    unsigned before = atomic_fetch_sub_explicit(&keys->references, 1, memory_order_acq_rel);

    CHECK(before > 0);
    if (before > 1) {
        return;
    }
    for (unsigned i = 0; i < keys->count; i++) {
        key_deinit(&keys->list[i]);
    }
    free(keys);
}

void token_keys_destroy(struct token_keys *keys)
{
    CHECK(keys == NULL || atomic_load(&keys->references) == 1);
    token_keys_unref(keys);
}

unsigned token_keys_count(const struct token_keys *keys)
{
    return keys->given;
}

void token_keys_slot_init(struct token_keys_slot *slot, struct token_keys *keys)
{
    CHECK(pthread_mutex_init(&slot->mutex, NULL) == 0);
    slot->keys = keys;
}

void token_keys_slot_deinit(struct token_keys_slot *slot)
{
    token_keys_unref(slot->keys);
    slot->keys = NULL;
    pthread_mutex_destroy(&slot->mutex);
}

struct token_keys *token_keys_slot_get(struct token_keys_slot *slot)
{
    pthread_mutex_lock(&slot->mutex);
    struct token_keys *keys = token_keys_ref(slot->keys);

    pthread_mutex_unlock(&slot->mutex);
    return keys;
}

void token_keys_slot_replace(struct token_keys_slot *slot, struct token_keys *keys)
{
    pthread_mutex_lock(&slot->mutex);
    struct token_keys *old = slot->keys;

    slot->keys = keys;
    pthread_mutex_unlock(&slot->mutex);
    token_keys_unref(old);
}
