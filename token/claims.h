/* The JSON payload of a token <-> struct token_claims. Any thread; allocates through jansson. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token.h"

/* Times beyond this (the year 285 428 751) are refused: a double holds no exact second above it,
 * and adding a leeway can never overflow. */
#define CLAIMS_TIME_MAX_S (INT64_C(1) << 53)

/* TOKEN_OK, TOKEN_MALFORMED, TOKEN_TOO_LONG, TOKEN_INCOMPLETE or TOKEN_NO_MEMORY; *ret_claims is
 * untouched unless TOKEN_OK. Does not judge times against a clock. */
MUST_USE enum token_result claims_parse(struct bytes json, struct token_claims *ret_claims);

/* claims_parse that also returns the claim at fault: a constant, or NULL when there is no single
 * one. */
MUST_USE enum token_result claims_explain(struct bytes json, struct token_claims *ret_claims,
                                          const char **ret_claim);

/* Compact JSON in the order of token.h, escaped as by Go, terminated. TOKEN_MALFORMED for text that
 * is not UTF-8 or a time out of range, TOKEN_TOO_LONG when it does not fit. */
MUST_USE enum token_result claims_write(const struct token_claims *claims, char *json,
                                        size_t json_size, size_t *ret_len);
