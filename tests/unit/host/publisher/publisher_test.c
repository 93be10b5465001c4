/* Goal: a body becomes messages of its feed after a silence, and what is held is sent at its end.
 */
#include "host/publisher/publisher.h"

#include <criterion/criterion.h>

#include "tests/unit/host/hearer.h"

Test(publisher, sends_after_a_silence_and_at_its_end)
{
    struct loop loop;
    struct feed_table feeds;
    struct hearer hearer;

    feed_table_init(&feeds);
    cr_assert_eq(loop_open(&loop), 0);
    cr_assert_eq(hearer_join(&hearer, &feeds, "v"), 0);
    struct publisher *publisher = publisher_create(&loop, &feeds, "v");

    publisher_take(publisher, bytes_of_text("a"), 2, true);
    loop_turn(&loop, 5);
    cr_assert_str_eq(hearer.heard, "", "a chunk is never cut");
    publisher_take(publisher, bytes_of_text("b"), 2, false);
    while (hearer.heard[0] == '\0') {
        loop_turn(&loop, 1000);
    }
    cr_assert_str_eq(hearer.heard, "ab,");
    publisher_take(publisher, bytes_of_text("c"), 0, false);
    publisher_destroy(publisher);
    publisher_destroy(NULL);
    cr_assert_str_eq(hearer.heard, "ab,c,");
    feed_leave(&hearer.member);
    feed_table_deinit(&feeds);
    loop_close(&loop);
}
