/* UTF-8 (RFC 3629 §4): no overlong forms, no surrogates, nothing above U+10FFFF. Any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/bytes.h"

/* Length of the valid sequence at the start of in, or 0. in must not be empty. */
size_t utf8_sequence_len(struct bytes in);

bool utf8_is_valid(struct bytes in);
