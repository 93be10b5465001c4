/* The queue of received messages: order, both bounds, ages, and that each loss is told. */
#include "client/queue/inbox.h"

#include <criterion/criterion.h>
#include <string.h>

enum { MS = 1000000, COST = sizeof(struct inbox_message) };

static struct inbox inbox;

static void start(uint64_t bytes_max, uint64_t age_max_ns)
{
    struct inbox_limits limits = {.bytes_max = bytes_max, .age_max_ns = age_max_ns};

    inbox_init(&inbox, &limits);
}

static void put_at(const char *text, uint64_t now_ns)
{
    struct inbox_message *message =
        inbox_message_create(RELAY_CLIENT_TEXT, text, strlen(text), now_ns);

    cr_assert_not_null(message);
    inbox_put(&inbox, message, now_ns);
}

/* NULL: none is expected. */
static void expect_at(const char *text, bool gap, uint64_t now_ns)
{
    struct inbox_message *message = inbox_take(&inbox, now_ns);

    if (text == NULL) {
        cr_assert_null(message);
        return;
    }
    cr_assert_not_null(message, "wanted %s", text);
    cr_assert_eq(message->message.len, strlen(text), "wanted %s", text);
    cr_assert_eq(memcmp(message->message.data, text, strlen(text)), 0, "wanted %s", text);
    cr_assert_eq(message->message.type, RELAY_CLIENT_TEXT);
    cr_assert_eq(message->message.gap, gap, "%s", text);
    inbox_message_destroy(message);
}

Test(inbox, keeps_messages_whole_and_in_order)
{
    start(1000, 0);
    expect_at(NULL, false, 0);
    put_at("one", 0);
    put_at("", 0);
    put_at("two", 0);
    cr_assert_eq(inbox.count, 3);
    expect_at("one", true, 0);
    expect_at("", false, 0);
    expect_at("two", false, 0);
    expect_at(NULL, false, 0);
    cr_assert_eq(inbox.bytes, 0);
    inbox_deinit(&inbox);
}

Test(inbox, makes_room_by_its_oldest_and_tells_it)
{
    start(3 * (COST + 1), 0);
    put_at("1", 0);
    put_at("2", 0);
    put_at("3", 0);
    put_at("4", 0);
    cr_assert_eq(inbox.dropped_messages[INBOX_OVERFLOW], 1);
    cr_assert_eq(inbox.dropped_bytes, 1);
    expect_at("2", true, 0);
    expect_at("3", false, 0);
    expect_at("4", false, 0);
    inbox_deinit(&inbox);
}

Test(inbox, bounds_empty_messages_too)
{
    start(10 * COST, 0);
    for (int i = 0; i < 1000; i++) {
        put_at("", 0);
    }
    cr_assert_eq(inbox.count, 10);
    cr_assert_eq(inbox.dropped_messages[INBOX_OVERFLOW], 990);
    inbox_deinit(&inbox);
}

Test(inbox, takes_a_message_that_is_larger_than_its_bound_alone)
{
    start(1, 0);
    put_at("large", 0);
    cr_assert_eq(inbox.count, 1);
    put_at("larger", 0);
    cr_assert_eq(inbox.count, 1);
    expect_at("larger", true, 0);
    inbox_deinit(&inbox);
}

Test(inbox, hands_out_nothing_that_is_too_old)
{
    start(1000, 100 * MS);
    put_at("old", 1);
    put_at("young", 60 * MS);
    cr_assert_eq(inbox_age_ns(&inbox, 50 * MS), 50 * MS - 1);
    expect_at("young", true, 100 * MS + 2);
    cr_assert_eq(inbox.dropped_messages[INBOX_AGE], 1);
    put_at("exact", 200 * MS);
    expect_at("exact", false, 300 * MS);
    put_at("late", 300 * MS);
    expect_at(NULL, false, 401 * MS);
    put_at("next", 402 * MS);
    expect_at("next", true, 402 * MS);
    inbox_deinit(&inbox);
}

Test(inbox, keeps_no_old_messages_while_nothing_is_taken)
{
    start(1000 * 1000, 10 * MS);
    for (uint64_t now_ms = 1; now_ms <= 100; now_ms++) {
        put_at("x", now_ms * MS);
    }
    cr_assert_eq(inbox.count, 11);
    cr_assert_eq(inbox.dropped_messages[INBOX_AGE], 89);
    inbox_deinit(&inbox);
}

Test(inbox, tells_a_gap_between_connections)
{
    start(1000, 0);
    put_at("1", 0);
    inbox_note_gap(&inbox);
    put_at("2", 0);
    put_at("3", 0);
    expect_at("1", true, 0);
    expect_at("2", true, 0);
    expect_at("3", false, 0);
    inbox_deinit(&inbox);
}

Test(inbox, obeys_limits_that_change)
{
    struct inbox_limits limits = {.bytes_max = 2 * (COST + 1), .age_max_ns = 10 * MS};

    start(1000, 0);
    for (int i = 0; i < 5; i++) {
        put_at("x", 0);
    }
    inbox_set_limits(&inbox, &limits);
    put_at("y", 5 * MS);
    cr_assert_eq(inbox.count, 2);
    expect_at("y", true, 11 * MS);
    inbox_deinit(&inbox);
}

Test(inbox, frees_what_waits)
{
    start(1000, 0);
    put_at("never taken", 0);
    inbox_deinit(&inbox);
    cr_assert_eq(inbox.count, 0);
}
