/* What is inside struct token_keys, and the making of it, for the other files of token/ only.
 * Immutable once the maker hands it out, so any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/key.h"
#include "token/token_keys.h"

enum { KEYS_HMAC_ALGORITHMS = 3 };

struct token_keys {
    _Atomic unsigned references;
    unsigned given; /* by the operator: a secret counts once */
    unsigned count;
    bool serves[TOKEN_ALGORITHM_COUNT]; /* which of the HMAC algorithms secrets verify */
    struct key list[TOKEN_KEYS_MAX * KEYS_HMAC_ALGORITHMS];
};

/* Empty. NULL when memory is out. */
MUST_USE struct token_keys *keys_new(void);

/* Moves the key into the set under its id, found at origin. False with one line in error when the
 * set is full, the id is taken or memory is out; the key is released then. */
MUST_USE bool keys_add(struct token_keys *keys, struct key *key, struct bytes id,
                       const char *origin, char error[static TOKEN_KEYS_ERROR_SIZE]);

/* The text of a secrets file, called name in errors and origins. Adds what it holds. */
MUST_USE bool keys_add_secrets(struct token_keys *keys, struct bytes text, const char *name,
                               char error[static TOKEN_KEYS_ERROR_SIZE]);

/* "HS256, HS512": what secrets that are added from now on verify; HS256 when never called. */
MUST_USE bool keys_choose_hmac(struct token_keys *keys, const char *list,
                               char error[static TOKEN_KEYS_ERROR_SIZE]);

/* One secret; without a name when the id is empty. A key for each algorithm that secrets serve. */
MUST_USE bool keys_add_secret(struct token_keys *keys, struct bytes secret, struct bytes id,
                              const char *origin, char error[static TOKEN_KEYS_ERROR_SIZE]);

/* PEM files and folders of them, separated by commas. Blocks on the files. */
MUST_USE bool keys_add_public(struct token_keys *keys, const char *list,
                              char error[static TOKEN_KEYS_ERROR_SIZE]);
