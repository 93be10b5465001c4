/* Goal: a reload replaces the set for those who ask afterwards, and for them only. */
#include <criterion/criterion.h>

#include "base/check.h"
#include "token/token_keys_slot.h"

Test(token_keys_slot, users_of_a_replaced_set_keep_it)
{
    struct token_keys *old = token_keys_create("old"), *new = token_keys_create("new");
    struct token_keys_slot slot;

    cr_assert(old != NULL && new != NULL);
    token_keys_slot_init(&slot, old);
    struct token_keys *held = token_keys_slot_get(&slot);

    cr_expect_eq(held, old);
    token_keys_slot_replace(&slot, new);
    struct token_keys *later = token_keys_slot_get(&slot);

    cr_expect_eq(later, new);
    cr_expect_eq(token_keys_count(held), 1); /* still there: the sanitizer would see otherwise */
    token_keys_unref(held);
    token_keys_unref(later);
    token_keys_slot_deinit(&slot);
    cr_expect_null(slot.keys);
}
