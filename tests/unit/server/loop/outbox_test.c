/* Goal: what is put in comes out once: what goes out in order, what goes home for each worker.
 * Method: items of the test, no letters. */
#include "server/loop/outbox.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { ITEMS = 100 };

static struct outbox outbox;
static struct outbox_item items[ITEMS];

Test(outbox, keeps_the_order_of_what_goes_out)
{
    for (unsigned count = 0; count <= ITEMS; count += 10) {
        for (unsigned i = 0; i < count; i++) {
            outbox_add(&outbox, &items[i]);
        }
        struct outbox_item *item = outbox_take(&outbox);

        for (unsigned i = 0; i < count; i++) {
            cr_assert_eq(item, &items[i]);
            item = outbox_next(item);
        }
        cr_assert_null(item);
        cr_assert_null(outbox_take(&outbox));
    }
}

Test(outbox, sorts_what_goes_home_by_worker)
{
    static const unsigned homes[] = {0, 7, OUTBOX_HOMES - 1};
    unsigned counts[OUTBOX_HOMES] = {0}, home;
    struct outbox_item *item;

    cr_assert_null(outbox_take_homeward(&outbox, &home));
    for (unsigned i = 0; i < ITEMS; i++) {
        outbox_add_homeward(&outbox, homes[i % 3], &items[i], i % 2 == 0);
    }
    while ((item = outbox_take_homeward(&outbox, &home)) != NULL) {
        cr_assert_eq(counts[home], 0, "all of one worker at once");
        for (; item != NULL; item = outbox_next(item)) {
            cr_assert_eq(home, homes[(item - items) % 3]);
            counts[home]++;
        }
    }
    for (unsigned i = 0; i < 3; i++) {
        cr_assert_eq(counts[homes[i]], ITEMS / 3 + (i == 0 ? 1 : 0));
    }
    cr_assert_null(outbox_take(&outbox));
}

static unsigned taken(void)
{
    unsigned count = 0, home;
    struct outbox_item *item;

    while ((item = outbox_take_homeward(&outbox, &home)) != NULL) {
        for (; item != NULL; item = outbox_next(item)) {
            count++;
        }
    }
    return count;
}

Test(outbox, one_that_may_wait_leaves_with_the_next_or_in_the_next_turn)
{
    outbox_add_homeward(&outbox, 1, &items[0], true);
    cr_assert_eq(taken(), 0);
    cr_assert_eq(taken(), 1);
    cr_assert_eq(taken(), 0);
    outbox_add_homeward(&outbox, 1, &items[0], true);
    outbox_add_homeward(&outbox, 2, &items[1], true);
    outbox_add_homeward(&outbox, 1, &items[2], true);
    cr_assert_eq(taken(), 2, "two of one worker need no third");
    cr_assert_eq(taken(), 1);
    outbox_add_homeward(&outbox, 1, &items[0], true);
    outbox_hurry(&outbox);
    cr_assert_eq(taken(), 1);
}

Test(outbox, refuses_a_home_that_cannot_be, .signal = SIGABRT)
{
    outbox_add_homeward(&outbox, OUTBOX_HOMES, &items[0], false);
}
