/* Goal: a viewer that waits for a key picture gets the stream in the end, where a picture begins if
 * that comes soon enough. Method: the two bounds, and one millisecond on either side. */
#include "server/hub/lag/key_wait.h"

#include <criterion/criterion.h>

Test(key_wait, is_shorter_for_a_message_that_begins_with_a_picture)
{
    static const uint64_t bounds_ms[] = {
        [false] = KEY_WAIT_INSIDE_MS_MAX, [true] = KEY_WAIT_MS_MAX};
    uint64_t since_ms = 12345;

    for (int at_boundary = 0; at_boundary < 2; at_boundary++) {
        const struct message message = {.starts_at_boundary = at_boundary};
        uint64_t end_ms = since_ms + bounds_ms[at_boundary];

        cr_expect_not(key_wait_is_over(&message, since_ms, since_ms));
        cr_expect_not(key_wait_is_over(&message, since_ms, end_ms));
        cr_expect(key_wait_is_over(&message, since_ms, end_ms + 1));
    }
}

/* Clocks of workers differ by a little. */
Test(key_wait, does_not_end_before_it_began)
{
    const struct message message = {.starts_at_boundary = true};

    cr_expect_not(key_wait_is_over(&message, 1, 0));
}
