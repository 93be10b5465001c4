/* A token explained for people: what it says, which key vouches for it, why it would be refused.
 * Any thread; never blocks but on out. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <stdio.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token_keys.h"

/* What the token is held against. */
struct token_inspection {
    const struct token_keys *keys; /* NULL: none is configured */
    const char *audience;          /* NULL or empty: not judged */
    int64_t now_s;
};

/* Whether a relay of these keys and this audience would take the token. Writes printable ASCII
 * lines only, whatever the token holds; no secret, no signature, and nothing of a text that is not
 * JSON in the form of a token. */
MUST_USE bool token_inspect(const struct token_inspection *inspection, struct bytes text,
                            FILE *out);
