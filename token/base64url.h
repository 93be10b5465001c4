/* base64url without padding (RFC 4648 §5, RFC 7515 §2). Any thread; never blocks or allocates. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

/* Encoded length of len bytes, without the terminator. */
size_t base64url_encoded_len(size_t len);

/* Writes base64url_encoded_len(in.len) characters and a terminator; text must hold them. */
void base64url_encode(struct bytes in, char *text);

/* Strict: padding, foreign characters, impossible lengths and unused bits that are not zero give
 * -EINVAL, so that each value has exactly one encoding. -ENOSPC when out is too small. */
MUST_USE int base64url_decode(struct bytes text, uint8_t *out, size_t out_size, size_t *ret_len);
