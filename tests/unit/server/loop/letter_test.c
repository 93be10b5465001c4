#include "server/loop/letter.h"

#include <criterion/criterion.h>
#include <signal.h>

#include "base/attributes.h"
#include "server/loop/op.h"
#include "server/loop/worker.h"

Test(letter, packs_kind_target_and_pointer_into_a_letter)
{
    static const enum letter_kind kinds[] = {LETTER_PARCEL, LETTER_HOME, LETTER_CALL};
    static const uintptr_t addresses[] = {8, 0x1000, 0x7ffffffffff8, 0xfffffffffff8};

    for (size_t kind = 0; kind < ARRAY_LENGTH(kinds); kind++) {
        for (size_t i = 0; i < ARRAY_LENGTH(addresses); i++) {
            for (unsigned target = 0; target < WORKERS_MAX; target++) {
                const void *pointer = (const void *)addresses[i];
                uint64_t letter = letter_pack(kinds[kind], pointer, target);

                cr_assert(letter_is(letter));
                cr_assert_eq(letter & OP_TAG_UNDELIVERED, 0);
                cr_assert_eq(letter_kind(letter), kinds[kind]);
                cr_assert_eq(letter_target(letter), target);
                cr_assert_eq(letter_pointer(letter), pointer);
                letter |= OP_TAG_UNDELIVERED;
                cr_assert_eq(letter_pointer(letter), pointer);
                cr_assert_eq(letter_target(letter), target);
            }
        }
    }
}

Test(letter, tells_letters_from_operations)
{
    struct op op = {.generation = UINT16_MAX};

    cr_assert(!letter_is(op_user_data(&op)));
}

Test(letter, refuses_a_pointer_whose_low_bits_it_needs, .signal = SIGABRT)
{
    letter_pack(LETTER_CALL, (const void *)9, 0);
}

Test(letter, refuses_a_target_that_cannot_be, .signal = SIGABRT)
{
    letter_pack(LETTER_CALL, (const void *)8, WORKERS_MAX);
}
