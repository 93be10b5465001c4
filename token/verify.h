/* Verification that also reports the key used. Internal to token/. Any thread. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/key.h"
#include "token/token.h"

/* The parts of a token, still encoded. */
struct token_parts {
    struct bytes header;
    struct bytes payload;
    struct bytes signature;
    struct bytes signed_text; /* header.payload */
};

/* False unless there are three parts, the first two not empty. A third dot stays in the signature,
 * where decoding refuses it. */
MUST_USE bool verify_split(struct bytes text, struct token_parts *ret_parts);

/* Why a token is accepted or refused. */
struct token_explanation {
    const struct key *key; /* the key that verified the signature; NULL: none. Set also for a token
                              whose claims are refused. */
    const char *member;    /* the header or claim at fault: a constant, or NULL */
};

/* token_verify that also reports why. */
MUST_USE enum token_result verify_explain(const struct token_keys *keys, struct bytes text,
                                          int64_t now_s, struct token_claims *ret_claims,
                                          struct token_explanation *ret_explanation);
