/* Cuts a fuzz input into pieces, the same way for the same seed, as a network might. */
#pragma once

#include <stddef.h>
#include <stdint.h>

enum { SPLIT_WHOLE = 0, SPLIT_SINGLE_BYTES = 1 };

struct split {
    uint32_t state; /* SPLIT_WHOLE, SPLIT_SINGLE_BYTES, or the seed of random lengths */
};

/* Length of the next piece: 1…left for left > 0. */
static inline size_t split_next(struct split *split, size_t left)
{
    if (split->state <= SPLIT_SINGLE_BYTES) {
        return split->state == SPLIT_WHOLE ? left : 1;
    }
    /* Marsaglia's xorshift; 0 and 1 are not reached from other states of this use. */
    split->state ^= split->state << 13;
    split->state ^= split->state >> 17;
    split->state ^= split->state << 5;
    size_t len = 1 + split->state % 23;

    split->state |= 2;
    return len < left ? len : left;
}
