/* Goal: destinations are sorted by id, replaced, bounded and removed. No relay answers here. */
#include "host/destination/destinations.h"

#include <criterion/criterion.h>
#include <stdio.h>
#include <string.h>

#include "tests/unit/host/hearer.h"

struct fixture {
    struct loop loop;
    struct feed_table feeds;
    struct destinations destinations;
};

static void setup(struct fixture *fixture)
{
    struct destinations_settings settings = {.queue_age_max_ms = 1000};

    feed_table_init(&fixture->feeds);
    cr_assert_eq(loop_open(&fixture->loop), 0);
    cr_assert_eq(
        destinations_init(&fixture->destinations, &fixture->loop, &fixture->feeds, &settings), 0);
}

static void teardown(struct fixture *fixture)
{
    cr_assert(destinations_deinit(&fixture->destinations, 10000));
    feed_table_deinit(&fixture->feeds);
    loop_close(&fixture->loop);
}

/* A rule that cannot be dialled, so that no thread is started, or one whose port refuses. */
static bool put(struct fixture *fixture, const char *id, const char *destination)
{
    char text[256], error[JSON_ANSWER_ERROR_SIZE];
    struct rule rule;

    snprintf(text, sizeof text, "{\"id\":\"%s\",\"stream\":\"v\",\"destination\":\"%s\"}", id,
             destination);
    cr_assert(rule_read(json_reader_value(bytes_of_text(text)), &rule, error));
    return destinations_put(&fixture->destinations, &rule);
}

static bool keeps(const void *context, const char *id)
{
    return strcmp(id, context) == 0;
}

Test(destinations, are_sorted_and_bounded)
{
    struct fixture fixture;
    char id[16];

    setup(&fixture);
    for (int i = DESTINATIONS_MAX - 1; i >= 0; i--) {
        snprintf(id, sizeof id, "%04d", i);
        cr_assert(put(&fixture, id, ""));
    }
    cr_assert_not(put(&fixture, "one more", ""));
    cr_assert(put(&fixture, "0007", "x"));
    cr_assert_str_eq(fixture.destinations.all[7]->rule.destination, "x");
    cr_assert_eq(fixture.destinations.count, DESTINATIONS_MAX);
    fixture.destinations.all[1]->rule.is_listed = true;
    fixture.destinations.all[2]->rule.is_listed = true;
    destinations_remove_listed(&fixture.destinations, keeps, "0002");
    cr_assert_null(destinations_find(&fixture.destinations, "0001"));
    cr_assert_not_null(destinations_find(&fixture.destinations, "0002"));
    destinations_remove(&fixture.destinations, "0002");
    destinations_remove(&fixture.destinations, "0002");
    cr_assert_eq(fixture.destinations.count, DESTINATIONS_MAX - 2);
    teardown(&fixture);
}

Test(destinations, join_their_feed_and_leave_it_when_replaced)
{
    struct fixture fixture;
    struct hearer hearer;

    setup(&fixture);
    cr_assert_eq(hearer_join(&hearer, &fixture.feeds, "v"), 0);
    cr_assert(put(&fixture, DESTINATIONS_API_RULE, "ws://127.0.0.1:9/x"));
    const struct destination *destination =
        destinations_find(&fixture.destinations, DESTINATIONS_API_RULE);

    cr_assert(destination->member.may_command);
    cr_assert_str_eq(feed_name(&destination->member), "v");
    cr_assert_not_null(destination->link);
    hearer_say(&hearer, &fixture.feeds, "x");
    cr_assert(put(&fixture, DESTINATIONS_API_RULE, "user:p@h"));
    cr_assert_null(destination->link);
    hearer_say(&hearer, &fixture.feeds, "y");
    feed_leave(&hearer.member);
    teardown(&fixture);
}
