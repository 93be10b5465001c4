/* Goal: members of a stream hear its feeds while its rule says so. */
#include "host/rules/streams.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "tests/unit/host/hearer.h"

static bool put(struct streams *streams, const char *text)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct stream_rule rule;

    cr_assert(stream_rule_read(json_reader_value(bytes_of_text(text)), &rule, error));
    return streams_put(streams, &rule);
}

Test(streams, deliver_each_feed_of_their_rule_as_often_as_it_is_named)
{
    struct streams streams;
    struct hearer sender, hearer, plain;

    streams_init(&streams);
    cr_assert_eq(hearer_join(&sender, &streams.feeds, "v"), 0);
    cr_assert_eq(hearer_join(&hearer, &streams.feeds, "stream/a"), 0);
    cr_assert_eq(hearer_join(&plain, &streams.feeds, "plain"), 0);
    hearer_say(&sender, &streams.feeds, "0");
    cr_assert(put(&streams, "{\"stream\":\"stream/a\",\"feeds\":[\"v\",\"x\"]}"));
    cr_assert(put(&streams, "{\"stream\":\"plain\",\"feeds\":[\"v\"]}"));
    hearer_say(&sender, &streams.feeds, "1");
    cr_assert(put(&streams, "{\"stream\":\"stream/a\",\"feeds\":[\"v\",\"v\"]}"));
    hearer_say(&sender, &streams.feeds, "2");
    streams_remove(&streams, "stream/a");
    streams_remove(&streams, "stream/a");
    hearer_say(&sender, &streams.feeds, "3");
    cr_assert_str_eq(hearer.heard, "1,2,2,");
    cr_assert_str_eq(plain.heard, "", "only names of streams have an effect");
    feed_leave(&sender.member);
    feed_leave(&hearer.member);
    feed_leave(&plain.member);
    streams_deinit(&streams);
}

static bool keeps(const void *context, const char *name)
{
    return strcmp(name, context) == 0;
}

Test(streams, are_sorted_bounded_and_removed_when_their_file_forgets_them)
{
    struct streams streams;
    char text[64];

    streams_init(&streams);
    for (int i = STREAMS_RULES_MAX - 1; i >= 0; i--) {
        snprintf(text, sizeof text, "{\"stream\":\"%03d\"}", i);
        cr_assert(put(&streams, text));
    }
    cr_assert_not(put(&streams, "{\"stream\":\"one more\"}"));
    cr_assert(put(&streams, "{\"stream\":\"007\",\"feeds\":[]}"));
    cr_assert_str_eq(streams.rules[7].stream, "007");
    cr_assert(streams_find(&streams, "007")->has_feeds);
    cr_assert_null(streams_find(&streams, "x"));
    streams.rules[1].is_listed = true;
    streams.rules[2].is_listed = true;
    streams_remove_listed(&streams, keeps, "002");
    cr_assert_eq(streams.count, STREAMS_RULES_MAX - 1);
    cr_assert_null(streams_find(&streams, "001"));
    streams_deinit(&streams);
}
