/* Files that hold several keys: secrets, a line each, and PEM files of public keys. For the other
 * files of token/ only. Any thread that owns the set. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token_keys.h"

/* Adds the secrets in the text of a secrets file, called name in errors and origins. */
MUST_USE bool key_files_add_secrets(struct token_keys *keys, struct bytes text, const char *name,
                                    char error[static TOKEN_KEYS_ERROR_SIZE]);

/* PEM files and folders of them, separated by commas. Blocks on the files. */
MUST_USE bool key_files_add_public(struct token_keys *keys, const char *list,
                                   char error[static TOKEN_KEYS_ERROR_SIZE]);
