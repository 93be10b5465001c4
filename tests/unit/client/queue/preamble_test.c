/* Goal: what goes first on each connection is a faithful, bounded copy. Method: made, compared,
 * counted; the address sanitizer sees what is freed. */
#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

#include "base/attributes.h"
#include "client/queue/preamble.h"

Test(preamble, copies_messages_and_knows_them_again)
{
    char first[] = "FLV", second[] = "";
    const struct relay_client_slice messages[] = {{first, 3}, {second, 0}};
    const struct relay_client_slice other[] = {{"FLX", 3}, {"", 0}};
    struct preamble *preamble;

    cr_assert_eq(preamble_create(messages, 2, 3, &preamble), 0);
    cr_expect(preamble_equals(preamble, messages, 2));
    cr_expect_not(preamble_equals(preamble, messages, 1));
    cr_expect_not(preamble_equals(preamble, other, 2));
    memset(first, 0, sizeof first);
    cr_expect_eq(memcmp(preamble->messages[0].data, "FLV", 3), 0);
    cr_expect_eq(preamble->messages[1].len, 0);
    cr_expect_eq(preamble_ref(preamble), preamble);
    preamble_unref(preamble);
    cr_expect_eq(preamble->count, 2);
    preamble_unref(preamble);
}

Test(preamble, nothing_equals_no_messages)
{
    cr_expect(preamble_equals(NULL, NULL, 0));
    cr_expect_null(preamble_ref(NULL));
    preamble_unref(NULL);
}

Test(preamble, is_bounded)
{
    const struct relay_client_slice messages[] = {{"abcdefgh", 8}, {"i", 1}};
    struct preamble *preamble = NULL;

    cr_expect_eq(preamble_create(messages, 2, 8, &preamble), -EMSGSIZE);
    cr_expect_null(preamble);
}

Test(preamble, has_room_for_an_envelope_in_front_of_each)
{
    const struct relay_client_slice messages[] = {{"ab", 2}, {"c", 1}};
    struct preamble *preamble;

    cr_assert_eq(preamble_create(messages, 2, 3, &preamble), 0);
    for (size_t i = 0; i < 2; i++) {
        uint8_t *envelope = preamble_envelope(preamble, i);

        memset(envelope, 0xff, RELAY_V1_ENVELOPE_SIZE);
        cr_expect_eq(envelope + RELAY_V1_ENVELOPE_SIZE, preamble->messages[i].data);
    }
    cr_expect(preamble_equals(preamble, messages, 2));
    preamble_unref(preamble);
}
