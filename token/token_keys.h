/* A set of keys that tokens are verified with and signed by. Immutable once its maker hands it out,
 * and counted: a reload makes a new set, and the old one lives until its last user is done. Each
 * key serves exactly one algorithm, fixed by what it is and never by the token. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token_algorithm.h"

enum token_keys_limits {
    TOKEN_KEYS_MAX = 32,        /* a secret counts once, however many algorithms it has */
    TOKEN_KEY_ID_SIZE = 64,     /* kid: bytes with the terminator */
    TOKEN_SECRET_BYTES_MIN = 1, /* practable's users have short ones; operations.md says 32 */
    TOKEN_RSA_BITS_MIN = 2048,
    TOKEN_RSA_BITS_MAX = 8192, /* longer ones cost milliseconds per token */
    TOKEN_KEYS_ERROR_SIZE = 512,
};

struct key;
struct token_keys;

/* One shared secret, HS256. Copies it. NULL when out of memory or the secret is too short. For the
 * operator's files see key_sources.h. */
MUST_USE struct token_keys *token_keys_create(const char *secret);

struct token_keys *token_keys_ref(struct token_keys *keys);

/* The last reference wipes and frees. Accepts NULL. */
void token_keys_unref(struct token_keys *keys);

/* The same, for sets that were never shared. */
void token_keys_destroy(struct token_keys *keys);

/* How many keys the operator gave. */
unsigned token_keys_count(const struct token_keys *keys);

/* The rest is internal to token/. */

/* An empty set. NULL when out of memory. */
MUST_USE struct token_keys *token_keys_new(void);

/* Moves the key into the set under its id, found at origin. False with one line in error when the
 * set is full, the id is taken or memory is exhausted; the key is then released. */
MUST_USE bool token_keys_add(struct token_keys *keys, struct key *key, struct bytes id,
                             const char *origin, char error[static TOKEN_KEYS_ERROR_SIZE]);

/* "HS256, HS512": the algorithms of secrets added from now on; HS256 when never called. */
MUST_USE bool token_keys_choose_hmac(struct token_keys *keys, const char *list,
                                     char error[static TOKEN_KEYS_ERROR_SIZE]);

/* Adds one secret, unnamed when the id is empty, as one key for each algorithm of secrets. */
MUST_USE bool token_keys_add_secret(struct token_keys *keys, struct bytes secret, struct bytes id,
                                    const char *origin, char error[static TOKEN_KEYS_ERROR_SIZE]);

/* In the order they were added: NULL behind the last. There are more of them than
 * token_keys_count() where secrets serve several algorithms. */
const struct key *token_keys_at(const struct token_keys *keys, unsigned index);
