/* Goal: each counter counts for itself, sums add up, and the JSON has every one by its name.
 * Method: all counters, by the table that makes them. */
#include <criterion/criterion.h>
#include <jansson.h>

#include "server/stats/counters.h"

enum { JSON_SIZE = 8192 };

Test(counters, count_one_by_one)
{
    struct counters counters = {0};

    counters_increment(&counters, turns);
    counters_increment(&counters, turns);
    counters_add(&counters, bytes_sent, UINT64_C(1) << 40);
    counters_add(&counters, bytes_sent, 5);
    counters_add(&counters, messages_sent, 0);
    cr_assert_eq(counters.turns, 2);
    cr_assert_eq(counters.bytes_sent, (UINT64_C(1) << 40) + 5);
    cr_assert_eq(counters.messages_sent, 0);
    cr_assert_eq(counters.bytes_received, 0);
}

Test(counters, add_up_over_workers)
{
    struct counters workers[3] = {0}, sum = {0};
    uint64_t number = 1;

    for (unsigned i = 0; i < 3; i++) {
#define FILL(name, ...) counters_add(&workers[i], name, number++);
        COUNTERS_TABLE(FILL)
#undef FILL
        counters_accumulate(&sum, &workers[i]);
    }
#define EXPECT_SUM(name, ...)                                                                      \
    cr_assert_eq(sum.name, workers[0].name + workers[1].name + workers[2].name, #name);
    COUNTERS_TABLE(EXPECT_SUM)
#undef EXPECT_SUM
    cr_assert_gt(sum.turns, 0);
}

Test(counters, are_written_as_json_by_their_names)
{
    struct counters counters = {0};
    char text[JSON_SIZE];
    struct json_writer json;
    uint64_t number = 1;
    size_t count = 0;

#define FILL(name, ...) counters_add(&counters, name, number++);
    COUNTERS_TABLE(FILL)
#undef FILL
    json_writer_init(&json, text, sizeof text);
    counters_write_json(&counters, &json);
    cr_assert(!json.overflow);
    json_t *parsed = json_loads(text, JSON_REJECT_DUPLICATES, NULL);

    cr_assert_not_null(parsed, "%s", text);
    number = 1;
#define EXPECT_MEMBER(name, ...)                                                                   \
    cr_assert_eq((uint64_t)json_integer_value(json_object_get(parsed, #name)), number++, #name);   \
    count++;
    COUNTERS_TABLE(EXPECT_MEMBER)
#undef EXPECT_MEMBER
    cr_assert_eq(json_object_size(parsed), count);
    json_decref(parsed);
}

/* What a counter is called never changes by accident, and promtool wants a family in one piece. */
Test(counters, have_metrics_of_their_own_in_families_that_stand_together)
{
    for (unsigned i = 0; i < COUNTERS_COUNT; i++) {
        const struct counters_metric *metric = &counters_metrics[i];

        cr_assert_gt(strlen(metric->help), 0, "%s", metric->family);
        cr_assert_eq(metric->offset, i * sizeof(uint64_t));
        for (unsigned j = 0; j < i; j++) {
            const struct counters_metric *other = &counters_metrics[j];

            if (strcmp(metric->family, other->family) == 0) {
                cr_assert_str_eq(counters_metrics[i - 1].family, metric->family);
                cr_assert_str_neq(other->labels, metric->labels, "%s", metric->family);
                cr_assert_str_eq(other->help, metric->help);
            }
        }
    }
}
