/* Goal: monitoring sees a bounded number of topics whatever they are called, sums of the others
 * never fall, and a topic that comes back goes on where it was. */
#include "server/stats/topic_counts.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

enum { NAMED = 2, WORKERS = 3 };

static struct topic_counts_table *table;

static void open_table(void)
{
    table = topic_counts_create(NAMED, WORKERS);
}

static void close_table(void)
{
    topic_counts_destroy(table);
}

TestSuite(topic_counts, .init = open_table, .fini = close_table);

static uint64_t received(unsigned row)
{
    struct topic_counts sum;
    const char *name;

    return topic_counts_read(table, row, &name, &sum) ? sum.messages_received : UINT64_MAX;
}

static void expect_name(unsigned row, const char *expected)
{
    struct topic_counts sum;
    const char *name = "";

    topic_counts_read(table, row, &name, &sum);
    cr_assert_str_eq(name, expected);
}

static void count(unsigned row, unsigned worker, uint64_t messages)
{
    topic_counts_add(topic_counts_of(table, row, worker), messages_received, messages);
}

Test(topic_counts, workers_add_up_and_the_newest_message_counts)
{
    unsigned row = topic_counts_take(table, "a");
    struct topic_counts sum;
    const char *name;

    for (unsigned i = 0; i < WORKERS; i++) {
        count(row, i, i + 1);
        topic_counts_receive(topic_counts_of(table, row, i), 10, 100 - i);
        topic_counts_enter(topic_counts_of(table, row, i), true, i == 0);
        topic_counts_enter(topic_counts_of(table, row, i), true, true);
        topic_counts_leave(topic_counts_of(table, row, i), false, true);
    }
    cr_assert(topic_counts_read(table, row, &name, &sum));
    cr_assert_eq(sum.messages_received, 9);
    cr_assert_eq(sum.bytes_received, 30);
    cr_assert_eq(sum.publishers, 1);
    cr_assert_eq(sum.received_ms, 100);
    cr_assert_eq(sum.viewers, 6);
}

Test(topic_counts, topics_beyond_the_bound_share_the_last_row)
{
    topic_counts_take(table, "a");
    topic_counts_take(table, "b");
    unsigned third = topic_counts_take(table, "c");

    cr_assert_eq(third, topic_counts_rows(table) - 1);
    cr_assert_eq(topic_counts_take(table, "d"), third);
    expect_name(third, "other");
    count(third, 0, 5);
    topic_counts_put(table, third);
    cr_assert_eq(received(third), 5);
}

Test(topic_counts, topic_that_comes_back_goes_on)
{
    unsigned row = topic_counts_take(table, "a");

    count(row, 1, 7);
    topic_counts_put(table, row);
    cr_assert_eq(received(row), 7);
    topic_counts_take(table, "b");
    cr_assert_eq(topic_counts_take(table, "a"), row);
    cr_assert_eq(received(row), 7);
}

Test(topic_counts, longest_idle_row_is_given_to_a_new_topic)
{
    unsigned a = topic_counts_take(table, "a");
    unsigned b = topic_counts_take(table, "b");

    count(a, 0, 1);
    count(b, 0, 1);
    topic_counts_put(table, b);
    topic_counts_put(table, a);
    cr_assert_eq(topic_counts_take(table, "c"), b);
    expect_name(b, "c");
    cr_assert_eq(received(b), 0);
    cr_assert_eq(received(a), 1);
}

Test(topic_counts, topic_called_other_has_no_row_of_that_name)
{
    cr_assert_eq(topic_counts_take(table, "other"), topic_counts_rows(table) - 1);
}

Test(topic_counts, nothing_is_counted_without_a_table)
{
    cr_assert_eq(topic_counts_take(NULL, "a"), 0);
    cr_assert_null(topic_counts_of(NULL, 0, 0));
    cr_assert_eq(topic_counts_rows(NULL), 0);
    topic_counts_add(topic_counts_of(NULL, 0, 0), messages_sent, 1);
    topic_counts_receive(NULL, 1, 1);
    topic_counts_enter(NULL, true, true);
    topic_counts_leave(NULL, true, true);
    topic_counts_put(NULL, 0);
}

Test(topic_counts, without_rows_of_their_own_all_topics_share_one)
{
    topic_counts_destroy(table);
    table = topic_counts_create(0, 1);
    cr_assert_eq(topic_counts_take(table, "a"), 0);
    expect_name(0, "other");
}
