/* Explains a token to people: what it says, which key verifies it, why it would be refused. Any
 * thread; blocks only on out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token_keys.h"

/* The keys and audience that the token is checked against. */
struct token_inspection {
    const struct token_keys *keys; /* NULL: none is configured */
    const char *audience;          /* NULL or empty: not checked */
    int64_t now_s;
};

/* True when a relay with these keys and this audience would accept the token. Writes printable
 * ASCII lines only, whatever the token holds; no secret, no signature, and nothing of an input that
 * is not JSON in token form. */
MUST_USE bool token_inspect(const struct token_inspection *inspection, struct bytes text,
                            FILE *out);
