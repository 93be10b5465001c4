#include "server/loop/letter.h"

#include "base/check.h"
#include "server/loop/op.h"
#include "server/loop/worker.h"

enum { LETTER_TARGET_SHIFT = 56, LETTER_KIND_MASK = 0xff };

uint64_t letter_pack(enum letter_kind kind, const void *pointer, unsigned target)
{
    CHECK(target < WORKERS_MAX);
    CHECK(((uintptr_t)pointer & OP_TAG_MASK) == 0);
    return (uint64_t)(uintptr_t)pointer | (uint64_t)kind << OP_GENERATION_SHIFT |
           (uint64_t)target << LETTER_TARGET_SHIFT | OP_TAG_LETTER;
}

enum letter_kind letter_kind(uint64_t letter)
{
    return (enum letter_kind)(letter >> OP_GENERATION_SHIFT & LETTER_KIND_MASK);
}

unsigned letter_target(uint64_t letter)
{
    return (unsigned)(letter >> LETTER_TARGET_SHIFT);
}

void *letter_pointer(uint64_t letter)
{
    return op_pointer(letter);
}

bool letter_is(uint64_t user_data)
{
    return (user_data & OP_TAG_LETTER) != 0;
}
