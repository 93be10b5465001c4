/* Bounded parsing of the JSON in a token's parts. Any thread; allocates through jansson. */
#pragma once

#include <jansson.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "token/token.h"

enum json_text_limits {
    JSON_TEXT_DEPTH_MAX = 8, /* claims need 2; jansson itself would recurse 2048 deep */
};

/* One JSON object and nothing after it. Refuses duplicate keys at any depth, NUL (raw or escaped),
 * invalid UTF-8 and deeper nesting with TOKEN_MALFORMED; TOKEN_NO_MEMORY when an allocation fails.
 * The caller owns *ret_object (json_decref). */
MUST_USE enum token_result json_text_parse(struct bytes text, json_t **ret_object);

/* The member, or NULL when it is absent or null: issuers in Go write null for an empty list. */
const json_t *json_text_member(const json_t *object, const char *key);
