/* Goal: a message goes to the others on the sender's feed and to no one else. */
#include "host/feed/feed.h"

#include <criterion/criterion.h>

#include "tests/unit/host/hearer.h"

Test(feed, delivers_to_all_of_a_feed_but_the_sender)
{
    struct feed_table feeds;
    struct hearer a, b, other;

    feed_table_init(&feeds);
    cr_assert_eq(hearer_join(&a, &feeds, "video"), 0);
    cr_assert_eq(hearer_join(&b, &feeds, "video"), 0);
    cr_assert_eq(hearer_join(&other, &feeds, "Video"), 0);
    cr_assert_str_eq(feed_name(&a.member), "video");
    hearer_say(&a, &feeds, "x");
    hearer_say(&other, &feeds, "y");
    cr_assert_str_eq(a.heard, "");
    cr_assert_str_eq(b.heard, "x,");
    cr_assert_str_eq(other.heard, "");
    feed_leave(&b.member);
    feed_leave(&b.member);
    cr_assert_str_eq(feed_name(&b.member), "");
    hearer_say(&a, &feeds, "z");
    cr_assert_str_eq(b.heard, "x,");
    feed_leave(&a.member);
    feed_leave(&other.member);
    feed_table_deinit(&feeds);
}

Test(feed, members_of_one_relay_do_not_hear_each_other)
{
    struct feed_table feeds;
    struct hearer a, same, another, local;

    feed_table_init(&feeds);
    cr_assert_eq(hearer_join(&a, &feeds, "f"), 0);
    cr_assert_eq(hearer_join(&same, &feeds, "f"), 0);
    cr_assert_eq(hearer_join(&another, &feeds, "f"), 0);
    cr_assert_eq(hearer_join(&local, &feeds, "f"), 0);
    a.member.origin = "ws://one";
    same.member.origin = "ws://one";
    another.member.origin = "ws://two";
    hearer_say(&a, &feeds, "x");
    cr_assert_str_eq(same.heard, "");
    cr_assert_str_eq(another.heard, "x,");
    cr_assert_str_eq(local.heard, "x,");
    feed_leave(&a.member);
    feed_leave(&same.member);
    feed_leave(&another.member);
    feed_leave(&local.member);
    feed_table_deinit(&feeds);
}

static void add(void *context, const struct feed_report *report)
{
    struct feed_report *sum = context;

    sum->members += report->members;
    sum->messages += report->messages;
    sum->second_messages += report->second_messages;
    sum->second_bytes += report->second_bytes;
}

static struct feed_report sum_at(const struct feed_table *feeds, uint64_t now_ms)
{
    struct feed_report sum = {0};

    feed_table_each(feeds, now_ms, add, &sum);
    return sum;
}

Test(feed, reports_its_last_whole_second)
{
    struct feed_table feeds;
    struct hearer a;

    feed_table_init(&feeds);
    cr_assert_eq(hearer_join(&a, &feeds, "f"), 0);
    hearer_say(&a, &feeds, "four");
    hearer_say(&a, &feeds, "two");
    cr_assert_eq(sum_at(&feeds, 999).second_messages, 0);
    cr_assert_eq(sum_at(&feeds, 1500).second_messages, 2);
    cr_assert_eq(sum_at(&feeds, 1500).second_bytes, 7);
    cr_assert_eq(sum_at(&feeds, 2500).second_messages, 0);
    cr_assert_eq(sum_at(&feeds, 2500).messages, 2);
    feed_leave(&a.member);
    feed_table_deinit(&feeds);
}

Test(feed, exists_while_it_has_members_and_takes_nothing_as_a_stream)
{
    struct feed_table feeds;
    struct hearer a, b;

    feed_table_init(&feeds);
    cr_assert(feed_is_stream("stream/a"));
    cr_assert_not(feed_is_stream("streams"));
    cr_assert_eq(hearer_join(&a, &feeds, "stream/a"), 0);
    cr_assert_eq(hearer_join(&b, &feeds, "stream/a"), 0);
    hearer_say(&a, &feeds, "x");
    cr_assert_str_eq(b.heard, "");
    cr_assert_eq(sum_at(&feeds, 0).members, 2);
    feed_leave(&a.member);
    feed_leave(&b.member);
    cr_assert_eq(sum_at(&feeds, 0).members, 0);
    feed_table_deinit(&feeds);
}
