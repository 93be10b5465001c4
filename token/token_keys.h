/* Sets of keys that tokens are verified with and signed by. A set is immutable and counted: a
 * reload makes a new one, whoever verifies keeps the old one until done. Each key serves exactly
 * one algorithm, fixed by what it is and never by the token. Any thread. */
#pragma once

#include <pthread.h>

#include "base/attributes.h"

enum token_keys_limits {
    TOKEN_KEYS_MAX = 32,        /* a secret counts once, whatever algorithms it serves */
    TOKEN_KEY_ID_SIZE = 64,     /* kid: bytes with the terminator */
    TOKEN_SECRET_BYTES_MIN = 1, /* practable's users have short ones; operations.md says 32 */
    TOKEN_RSA_BITS_MIN = 2048,
    TOKEN_RSA_BITS_MAX = 8192, /* longer ones cost milliseconds for each token */
    TOKEN_KEYS_ERROR_SIZE = 512,
};

enum token_algorithm {
    TOKEN_HS256, /* shared secret */
    TOKEN_EDDSA, /* Ed25519 */
    TOKEN_ES256, /* P-256 */
    TOKEN_RS256, /* RSA, PKCS #1 v1.5 */
    TOKEN_HS384, /* shared secret, where the operator asks for it, as the next */
    TOKEN_HS512,
    TOKEN_ALGORITHM_COUNT,
};

/* As in a token's header: "HS256". */
const char *token_algorithm_text(enum token_algorithm algorithm);

/* Where the operator keeps the keys. NULL and empty mean none. Formats: docs/protocol.md, Keys. */
struct token_keys_sources {
    const char *secret;          /* one secret without a name */
    const char *secret_file;     /* holds such a secret; wins over it */
    const char *secrets_file;    /* lines "kid secret" or "secret" */
    const char *public_keys;     /* PEM files and folders of them, separated by commas */
    const char *hmac_algorithms; /* what secrets verify, separated by commas; none: HS256 */
};

struct token_keys;

/* One shared secret, HS256. Copies it. NULL on no memory or a secret below the minimum. */
MUST_USE struct token_keys *token_keys_create(const char *secret);

/* All keys of all sources. NULL with one line in error when anything is wrong or there is no key
 * at all: the file and the reason, never its content. Blocks on the files. */
MUST_USE struct token_keys *token_keys_load(const struct token_keys_sources *sources,
                                            char error[static TOKEN_KEYS_ERROR_SIZE]);

/* For token_sign: exactly one of secret and private_key_file (PEM, not encrypted) is given. The kid
 * goes into the header; NULL or empty for none. Errors as above. */
MUST_USE struct token_keys *token_keys_load_signer(const char *secret, const char *private_key_file,
                                                   const char *kid,
                                                   char error[static TOKEN_KEYS_ERROR_SIZE]);

struct token_keys *token_keys_ref(struct token_keys *keys);

/* The last one wipes and frees. Accepts NULL. */
void token_keys_unref(struct token_keys *keys);

/* The same, for sets that were never shared. */
void token_keys_destroy(struct token_keys *keys);

unsigned token_keys_count(const struct token_keys *keys);

/* The present set of a running server: workers take it, a reload replaces it. */
struct token_keys_slot {
    pthread_mutex_t mutex;
    struct token_keys *keys;
};

void token_keys_slot_init(struct token_keys_slot *slot, struct token_keys *keys); /* takes keys */
void token_keys_slot_deinit(struct token_keys_slot *slot);

/* With a reference for the caller to give back by token_keys_unref. */
MUST_USE struct token_keys *token_keys_slot_get(struct token_keys_slot *slot);

/* Takes keys; the old set lives on with those who verify by it. */
void token_keys_slot_replace(struct token_keys_slot *slot, struct token_keys *keys);
