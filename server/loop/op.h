/* One operation that may be in flight in the kernel. Embedded in its owner, never allocated alone.
 * The owner may not be reused while in_flight is true: a late completion would land in another
 * connection. user_data carries the address and a generation, so that even a stray late completion
 * is recognised, counted and ignored instead of trusted. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"

struct op {
    /* result: 0 or more, or -errno; flags: of the completion. in_flight is already up to date. */
    void (*on_complete)(struct op *op, int result, uint32_t flags);
    uint16_t generation;
    bool in_flight; /* true exactly from submission until the completion without CQE_F_MORE */
};

enum op_user_data {
    OP_GENERATION_SHIFT = 48, /* user addresses have 47 bits on x86-64, 48 on arm64 */
    OP_TAG_LETTER = 1,        /* low bits are free: the pointee is aligned */
    OP_TAG_UNDELIVERED = 2,
    OP_TAG_MASK = 7,
};

/* Zero before the first time. Not while it is in flight: its completion would be lost. */
static inline void op_init(struct op *op, void (*on_complete)(struct op *, int, uint32_t))
{
    CHECK(!op->in_flight);
    op->on_complete = on_complete;
    op->generation++;
}

static inline uint64_t op_user_data(const struct op *op)
{
    return (uint64_t)(uintptr_t)op | (uint64_t)op->generation << OP_GENERATION_SHIFT;
}

static inline void *op_pointer(uint64_t user_data)
{
    return (void *)(uintptr_t)(user_data & ((UINT64_C(1) << OP_GENERATION_SHIFT) - 1) &
                               ~(uint64_t)OP_TAG_MASK);
}
