/* Where a receive puts the peer's bytes when a buffer in between would only be copied: into memory
 * of a message, which is kept while the kernel may write to it. Owner worker only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

struct share;

struct receive_place {
    struct share *share; /* of the message; NULL: no place */
    uint8_t *bytes;
    size_t len;
};
