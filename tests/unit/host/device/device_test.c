/* Goal: a device takes part in its feed, line by line, and its program ends with it. */
#include "host/device/device.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host/hearer.h"

static struct device_rule rule_of(const char *text)
{
    char error[JSON_ANSWER_ERROR_SIZE];
    struct device_rule rule;

    cr_assert(device_rule_read(json_reader_value(bytes_of_text(text)), &rule, error), "%s", error);
    return rule;
}

Test(device, is_a_program_of_lines)
{
    struct device_rule rule = rule_of("{\"stream\":\"d\",\"exec\":[\"cat\"]}");
    struct loop loop;
    struct feed_table feeds;
    struct hearer hearer;

    feed_table_init(&feeds);
    cr_assert_eq(loop_open(&loop), 0);
    cr_assert_eq(hearer_join(&hearer, &feeds, "d"), 0);
    struct device *device = device_create(&loop, &feeds, &rule, 0);

    cr_assert(device_is_open(device));
    cr_assert_str_eq(device_rule(device)->words[0], "cat");
    hearer_say(&hearer, &feeds, "one");
    hearer_say(&hearer, &feeds, "two\n");
    while (strcmp(hearer.heard, "one,two,") != 0) {
        loop_turn(&loop, 10000);
    }
    device_destroy(device);
    device_destroy(NULL);
    feed_leave(&hearer.member);
    feed_table_deinit(&feeds);
    loop_close(&loop);
}

Test(device, that_cannot_be_opened_is_tried_again)
{
    struct device_rule rule = rule_of("{\"stream\":\"d\",\"serial\":\"/nowhere\"}");
    struct loop loop;
    struct feed_table feeds;

    feed_table_init(&feeds);
    cr_assert_eq(loop_open(&loop), 0);
    struct device *device = device_create(&loop, &feeds, &rule, 0);

    cr_assert_not(device_is_open(device));
    cr_assert_not(list_empty(&loop.timers));
    device_destroy(device);
    cr_assert(list_empty(&loop.timers));
    feed_table_deinit(&feeds);
    loop_close(&loop);
}
