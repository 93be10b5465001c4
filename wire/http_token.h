/* The characters of HTTP tokens: methods, field names, subprotocols (RFC 9110 §5.6.2). */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <string.h>

#include "base/bytes.h"

static inline bool http_is_token_char(uint8_t c)
{
    return (c >= '0' && c <= '9') || (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') ||
           (c != 0 && strchr("!#$%&'*+-.^_`|~", c) != NULL);
}

static inline bool http_is_token(struct bytes text)
{
    size_t len = 0;

    while (len < text.len && http_is_token_char(text.data[len])) {
        len++;
    }
    return len > 0 && len == text.len;
}
