/* Goal: rates are those between two looks at the same relay, and the order is the one asked for. */
#include "cli/top/admin/rates.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

static struct snapshot_topic old_topics[] = {
    {.name = "b", .messages_received = 10, .bytes_received = 1000, .bytes_sent = 50, .lost = 1},
    {.name = "a", .messages_received = 5, .bytes_received = 100, .bytes_sent = 10},
    {.name = "fell", .messages_received = 5},
};
static struct snapshot_topic new_topics[] = {
    {.name = "a",
     .publishers = 2,
     .age_ms = 7,
     .messages_received = 9,
     .bytes_received = 300,
     .bytes_sent = 4010},
    {.name = "b",
     .viewers = 1,
     .age_ms = -1,
     .messages_received = 20,
     .bytes_received = 3000,
     .bytes_sent = 50,
     .lost = 5},
    {.name = "fell", .messages_received = 4},
    {.name = "fresh", .messages_received = 1000},
};
static struct snapshot before = {
    .now_ms = 1000, .started_s = 7, .count = ARRAY_LENGTH(old_topics), .topics = old_topics};
static struct snapshot now = {
    .now_ms = 3000, .started_s = 7, .count = ARRAY_LENGTH(new_topics), .topics = new_topics};
static struct rates rates;

static void stop(void)
{
    rates_release(&rates);
}

TestSuite(rates, .fini = stop);

Test(rates, are_what_grew_in_a_second)
{
    cr_assert(rates_make(&before, &now, &rates));
    cr_assert_eq(rates.count, 4);
    cr_assert(rates.known && rates.rows[0].known && rates.rows[1].known);
    cr_assert_eq(rates.rows[0].bytes_in, 100);
    cr_assert_eq(rates.rows[0].bytes_out, 2000);
    cr_assert_eq(rates.rows[0].messages, 2);
    cr_assert_eq(rates.rows[1].lost, 2);
    cr_assert_eq(rates.bytes_in, 1100);
    cr_assert_eq(rates.messages, 7);
    cr_assert_not(rates.rows[2].known, "it counts anew");
    cr_assert_not(rates.rows[3].known, "it was not there");
}

Test(rates, are_unknown_at_first_and_over_a_restart)
{
    const struct snapshot none = {0};
    struct snapshot other = before;

    cr_assert(rates_make(&none, &now, &rates));
    cr_assert_not(rates.known);
    rates_release(&rates);
    other.started_s = 6;
    cr_assert(rates_make(&other, &now, &rates));
    cr_assert_not(rates.known || rates.rows[0].known);
    rates_release(&rates);
    other = before;
    other.now_ms = now.now_ms;
    cr_assert(rates_make(&other, &now, &rates));
    cr_assert_not(rates.known);
}

static const char *order(enum sort_key key, bool reverse)
{
    static char text[64];

    rates_sort(&rates, key, reverse);
    text[0] = '\0';
    for (size_t i = 0, used = 0; i < rates.count; i++) {
        used += (size_t)snprintf(text + used, sizeof text - used, "%s%s", i > 0 ? " " : "",
                                 rates.rows[i].topic->name);
    }
    return text;
}

Test(rates, sort_by_each_figure_and_then_by_name)
{
    cr_assert(rates_make(&before, &now, &rates));
    cr_expect_str_eq(order(SORT_NAME, false), "a b fell fresh");
    cr_expect_str_eq(order(SORT_NAME, true), "fresh fell b a");
    cr_expect_str_eq(order(SORT_PUBLISHERS, false), "a b fell fresh");
    cr_expect_str_eq(order(SORT_VIEWERS, false), "b a fell fresh");
    cr_expect_str_eq(order(SORT_AGE, false), "a fell fresh b");
    cr_expect_str_eq(order(SORT_IN, false), "b a fell fresh");
    cr_expect_str_eq(order(SORT_OUT, false), "a b fell fresh");
    cr_expect_str_eq(order(SORT_MESSAGES, false), "b a fell fresh");
    cr_expect_str_eq(order(SORT_LOST, true), "fresh fell a b");
}
