#include "token/token_keys.h"

#include <jansson.h>
#include <limits.h>
#include <stdatomic.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/bytes.h"
#include "base/check.h"
#include "token/key.h"

enum { HMAC_ALGORITHMS = 3 };

struct token_keys {
    _Atomic unsigned references;
    unsigned given; /* as configured: a secret counts once */
    unsigned count;
    bool serves[TOKEN_ALGORITHM_COUNT]; /* which of the HMAC algorithms secrets verify */
    struct key list[TOKEN_KEYS_MAX * HMAC_ALGORITHMS];
};

struct token_keys *token_keys_new(void)
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

static void key_move(struct token_keys *keys, struct key *key)
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

bool token_keys_add(struct token_keys *keys, struct key *key, struct bytes id, const char *origin,
                    char error[static TOKEN_KEYS_ERROR_SIZE])
{
    if (!key_label(keys, key, id, origin, error)) {
        key_deinit(key);
        return false;
    }
    keys->given++;
    key_move(keys, key);
    return true;
}

static bool algorithm_choose(struct token_keys *keys, struct bytes name)
{
    for (enum token_algorithm algorithm = 0; algorithm < TOKEN_ALGORITHM_COUNT; algorithm++) {
        if (token_algorithm_is_hmac(algorithm) &&
            bytes_equal_text(name, token_algorithm_text(algorithm))) {
            keys->serves[algorithm] = true;
            return true;
        }
    }
    return false;
}

bool token_keys_choose_hmac(struct token_keys *keys, const char *list,
                            char error[static TOKEN_KEYS_ERROR_SIZE])
{
    struct bytes rest = bytes_of_text(list);

    memset(keys->serves, 0, sizeof keys->serves);
    do {
        if (!algorithm_choose(keys, bytes_take_item(&rest))) {
            snprintf(error, TOKEN_KEYS_ERROR_SIZE,
                     "RELAY_HMAC_ALGORITHMS can have HS256, HS384 and HS512, separated by commas, "
                     "but is %.200s",
                     list);
            return false;
        }
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
        return token_keys_add(keys, &key, id, origin, error);
    }
    if (!key_name(&key, id, origin, error)) {
        key_deinit(&key);
        return false;
    }
    key_move(keys, &key);
    return true;
}

bool token_keys_add_secret(struct token_keys *keys, struct bytes secret, struct bytes id,
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

struct token_keys *token_keys_create(const char *secret)
{
    char error[TOKEN_KEYS_ERROR_SIZE];
    struct token_keys *keys = token_keys_new();

    if (keys != NULL && !token_keys_add_secret(keys, bytes_of_text(secret), bytes_of_text(""),
                                               "the secret", error)) {
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

const struct key *token_keys_at(const struct token_keys *keys, unsigned index)
{
    return index < keys->count ? &keys->list[index] : NULL;
}
