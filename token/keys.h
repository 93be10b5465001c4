/* What is inside struct token_keys, and the making of it, for the other files of token/ only.
 * Immutable once the maker hands it out, so any thread. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/key.h"
#include "token/token_keys.h"

struct token_keys {
    _Atomic unsigned references;
    unsigned count;
    struct key list[TOKEN_KEYS_MAX];
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

/* One secret without a name. */
MUST_USE bool keys_add_secret(struct token_keys *keys, struct bytes secret, const char *origin,
                              char error[static TOKEN_KEYS_ERROR_SIZE]);

/* PEM files and folders of them, separated by commas. Blocks on the files. */
MUST_USE bool keys_add_public(struct token_keys *keys, const char *list,
                              char error[static TOKEN_KEYS_ERROR_SIZE]);

/* The reason why a file could not be read, from secret_file_read. */
const char *keys_file_reason(int failed);
