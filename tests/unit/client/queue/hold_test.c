/* Goal: while there are no viewers, the newest random access and what follows it is kept and
 * nothing else, within each limit; a first viewer begins with a random access, whatever was kept.
 * Method: messages of a few bytes, times counted. */
#include "client/queue/hold.h"

#include <criterion/criterion.h>
#include <string.h>

enum { KEY = RELAY_CLIENT_RANDOM_ACCESS };

static struct hold hold;

static void start(void)
{
    const struct hold_limits limits = {.age_max_ns = 100, .bytes_max = 10, .messages_max = 4};

    hold_init(&hold, &limits);
}

static void stop(void)
{
    hold_deinit(&hold);
    cr_expect_eq(hold.count, 0);
    cr_expect_eq(hold.bytes, 0);
}

TestSuite(hold, .init = start, .fini = stop);

static bool pass(const char *text, unsigned flags, uint64_t now_ns)
{
    struct relay_client_slice slice = {.data = text, .len = strlen(text)};
    struct ring_message *message =
        ring_message_create(RELAY_CLIENT_TEXT, &slice, 1, slice.len, flags);

    cr_assert_not_null(message);
    message->sent_ns = now_ns;
    bool passed = hold_pass(&hold, message, now_ns);

    if (passed) {
        ring_message_destroy(message);
    }
    return passed;
}

/* A viewer comes: these messages, separated by spaces, are sent to it. */
static void expect_kept(const char *expected, uint64_t now_ns)
{
    char got[64] = "";
    size_t len = 0;
    struct ring_message *message;
    bool wants_key = hold_watch(&hold, true, now_ns);

    while ((message = hold_take(&hold)) != NULL) {
        cr_assert_lt(len + message->len + 1, sizeof got);
        memcpy(got + len, message->data, message->len);
        len += message->len;
        got[len++] = ' ';
        ring_message_destroy(message);
    }
    cr_expect_str_eq(got, expected);
    cr_expect_eq(wants_key, expected[0] == '\0');
}

Test(hold, lets_everything_pass_until_it_is_told_that_nobody_watches)
{
    cr_expect(pass("a", 0, 0));
    cr_expect_not(hold_watch(&hold, true, 0));
    cr_expect(pass("b", 0, 0));
    cr_expect_not(hold_watch(&hold, false, 0));
    cr_expect_not(pass("c", 0, 0));
    cr_expect_null(hold_take(&hold));
    cr_expect_eq(hold.dropped_messages, 1);
}

Test(hold, keeps_the_newest_random_access_and_what_follows)
{
    (void)hold_watch(&hold, false, 0);
    (void)pass("a", 0, 0);
    (void)pass("K", KEY, 0);
    (void)pass("b", 0, 0);
    (void)pass("L", KEY, 1);
    (void)pass("c", 0, 1);
    cr_expect_null(hold_take(&hold), "not without a viewer");
    expect_kept("L c ", 2);
    cr_expect_eq(hold.dropped_messages, 3);
    cr_expect(pass("d", 0, 3));
}

Test(hold, asks_for_a_random_access_when_it_has_none)
{
    (void)hold_watch(&hold, false, 0);
    (void)pass("a", 0, 0);
    expect_kept("", 1);
    cr_expect_not(pass("b", 0, 2));
    cr_expect(pass("K", KEY, 3));
    cr_expect(pass("c", 0, 4));
}

Test(hold, waits_for_a_random_access_so_long_and_asks_again)
{
    static const uint64_t S = 1000000000;

    (void)hold_watch(&hold, false, 0);
    cr_expect(hold_watch(&hold, true, 1));
    cr_expect_not(pass("a", 0, 1 + S / 2));
    cr_expect_not(hold_asks_again(&hold, 1 + S / 2));
    cr_expect(hold_asks_again(&hold, 1 + HOLD_ASK_S * S));
    cr_expect_not(hold_asks_again(&hold, 1 + HOLD_ASK_S * S));
    cr_expect_not(pass("b", 0, HOLD_WAIT_S * S));
    cr_expect(pass("c", 0, 1 + HOLD_WAIT_S * S), "the stream as it comes");
    cr_expect(pass("d", 0, 1 + HOLD_WAIT_S * S));
    cr_expect_not(hold_asks_again(&hold, 2 * HOLD_WAIT_S * S));
    (void)hold_watch(&hold, false, 0);
    cr_expect_not(hold_asks_again(&hold, 3 * HOLD_WAIT_S * S));
}

Test(hold, counts_the_age_from_the_sending)
{
    struct relay_client_slice slice = {.data = "K", .len = 1};
    struct ring_message *message = ring_message_create(RELAY_CLIENT_TEXT, &slice, 1, 1, KEY);

    cr_assert_not_null(message);
    message->sent_ns = 10;
    (void)hold_watch(&hold, false, 0);
    cr_expect_not(hold_pass(&hold, message, 90));
    expect_kept("", 111);
}

Test(hold, forgets_what_is_too_old)
{
    (void)hold_watch(&hold, false, 0);
    (void)pass("K", KEY, 0);
    (void)pass("a", 0, 101);
    cr_expect_eq(hold.count, 0);
    (void)pass("L", KEY, 200);
    expect_kept("", 301);
}

Test(hold, forgets_what_is_too_much)
{
    (void)hold_watch(&hold, false, 0);
    (void)pass("KKKKKK", KEY, 0);
    (void)pass("aaaaaa", 0, 0);
    cr_expect_eq(hold.count, 0);
    (void)pass("more than it may be", KEY, 0);
    cr_expect_eq(hold.count, 0);
    (void)pass("K", KEY, 0);
    for (int i = 0; i < 3; i++) {
        (void)pass("a", 0, 0);
    }
    cr_expect_eq(hold.count, 4);
    (void)pass("b", 0, 0);
    cr_expect_eq(hold.count, 0);
}

Test(hold, keeps_nothing_where_nothing_is_wanted)
{
    const struct hold_limits limits = {.age_max_ns = 0, .bytes_max = 10, .messages_max = 4};

    hold_set_limits(&hold, &limits);
    (void)hold_watch(&hold, false, 0);
    (void)pass("K", KEY, 0);
    cr_expect_eq(hold.count, 0);
    cr_expect_eq(hold.dropped_bytes, 1);
}

Test(hold, drops_what_it_kept_at_a_flush)
{
    (void)hold_watch(&hold, false, 0);
    (void)pass("K", KEY, 0);
    hold_flush(&hold);
    expect_kept("", 1);
}
