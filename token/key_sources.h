/* The places where the operator keeps keys, read into a set. Any thread; blocks on the files. */
#pragma once

#include "base/attributes.h"
#include "token/token_keys.h"

/* NULL and empty mean none. Formats: docs/protocol.md, Keys. */
struct key_sources {
    const char *secret;          /* one secret without a name */
    const char *secret_file;     /* file with such a secret; takes precedence over it */
    const char *secrets_file;    /* lines "kid secret" or "secret" */
    const char *public_keys;     /* PEM files and folders of them, separated by commas */
    const char *hmac_algorithms; /* algorithms of secrets, separated by commas; none: HS256 */
};

/* All keys of all sources. NULL with one line in error (the file and the reason, never its content)
 * when anything is wrong or there is no key at all. */
MUST_USE struct token_keys *key_sources_load(const struct key_sources *sources,
                                             char error[static TOKEN_KEYS_ERROR_SIZE]);

/* For token_sign: exactly one of secret and private_key_file (PEM, not encrypted) is given. The kid
 * goes into the header; NULL or empty for none. Errors as above. */
MUST_USE struct token_keys *key_sources_load_signer(const char *secret,
                                                    const char *private_key_file, const char *kid,
                                                    char error[static TOKEN_KEYS_ERROR_SIZE]);
