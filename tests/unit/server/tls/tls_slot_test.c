/* Goal: a set of certificates lives as long as it is held, whatever replaces it.
 * Method: two sets made on the spot. */
#include "server/tls/tls_slot.h"

#include "tests/unit/server/tls/tls_fixture.h"

Test(tls_slot, replaces_while_others_hold_the_old_set)
{
    struct pair_files one, two;

    pair_make(&one, "one.example", 30);
    pair_make(&two, "two.example", 60);
    struct tls_context *old = context_make(&one, 0);
    struct tls_context *new = context_make(&two, 0);
    struct tls_slot slot;

    tls_slot_init(&slot, old);
    struct tls_context *held = tls_slot_get(&slot);

    cr_assert_eq(held, old);
    tls_slot_replace(&slot, new);
    struct tls_context *now = tls_slot_get(&slot);

    cr_assert_eq(now, new);
    SSL *ssl = tls_context_new_ssl(held); /* the old one still works */

    cr_assert_not_null(ssl);
    SSL_free(ssl);
    tls_context_unref(held);
    tls_context_unref(now);
    tls_slot_deinit(&slot);
    tls_context_unref(NULL);
    pair_remove(&one);
    pair_remove(&two);
}
