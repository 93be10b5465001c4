/* Goal: publishers wait exactly while there is no room, and each is told once, in the order in
 * which they began to wait. Method: numbers alone. */
#include "server/hub/underway.h"

#include <criterion/criterion.h>
#include <signal.h>

enum { PUBLISHERS = 5 };

static struct underway underway;
static struct subscriber publishers[PUBLISHERS];
static unsigned told[PUBLISHERS], told_count;

static void on_room(struct subscriber *publisher)
{
    cr_assert(list_empty(&publisher->room_node));
    told[told_count++] = (unsigned)(publisher - publishers);
}

static void open_scene(void)
{
    underway_init(&underway);
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        publishers[i].on_room = on_room;
        list_init(&publishers[i].room_node);
    }
}

TestSuite(underway, .init = open_scene);

static void fill(void)
{
    while (underway_has_room(&underway)) {
        underway_add(&underway, 10);
    }
}

static void let_all_wait(void)
{
    for (unsigned i = 0; i < PUBLISHERS; i++) {
        underway_await_room(&underway, &publishers[i]);
    }
}

Test(underway, messages_use_up_the_room)
{
    fill();
    cr_assert_eq(underway.messages, UNDERWAY_MESSAGES_MAX);
    underway_remove(&underway, 1, 10);
    cr_assert(underway_has_room(&underway));
}

Test(underway, bytes_use_up_the_room)
{
    underway_add(&underway, UNDERWAY_BYTES_MAX - 1);
    cr_assert(underway_has_room(&underway));
    underway_add(&underway, UINT64_C(1) << 40);
    cr_assert(!underway_has_room(&underway));
    underway_remove(&underway, 1, UINT64_C(1) << 40);
    cr_assert(underway_has_room(&underway));
}

Test(underway, publishers_are_told_in_order_when_half_is_free)
{
    fill();
    let_all_wait();
    list_remove(&publishers[2].room_node); /* it left */
    underway_remove(&underway, UNDERWAY_MESSAGES_MAX / 2 - 1, 10);
    cr_assert_eq(told_count, 0);
    underway_remove(&underway, 1, 10);
    cr_assert_eq(told_count, PUBLISHERS - 1);
    for (unsigned i = 0; i < told_count; i++) {
        cr_assert_eq(told[i], i < 2 ? i : i + 1);
    }
    underway_remove(&underway, UNDERWAY_MESSAGES_MAX / 2, underway.bytes);
    cr_assert_eq(told_count, PUBLISHERS - 1, "once");
    underway_check_empty(&underway);
}

Test(underway, bytes_must_be_half_free_as_well)
{
    underway_add(&underway, UNDERWAY_BYTES_MAX / 2 + 1);
    underway_add(&underway, UNDERWAY_BYTES_MAX);
    let_all_wait();
    underway_remove(&underway, 1, UNDERWAY_BYTES_MAX);
    cr_assert_eq(told_count, 0);
    underway_remove(&underway, 1, UNDERWAY_BYTES_MAX / 2 + 1);
    cr_assert_eq(told_count, PUBLISHERS);
}

Test(underway, publisher_that_has_room_must_not_wait, .signal = SIGABRT)
{
    underway_await_room(&underway, &publishers[0]);
}

Test(underway, nothing_arrives_that_did_not_leave, .signal = SIGABRT)
{
    underway_add(&underway, 10);
    underway_remove(&underway, 1, 11);
}
