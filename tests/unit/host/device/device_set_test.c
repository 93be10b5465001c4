/* Goal: devices follow the list of the last reading. */
#include "host/device/device_set.h"

#include <criterion/criterion.h>
#include <stdio.h>

static bool put(struct device_set *set, unsigned number)
{
    char text[64], error[JSON_ANSWER_ERROR_SIZE];
    struct device_rule rule;

    snprintf(text, sizeof text, "{\"stream\":\"d\",\"serial\":\"/nowhere/%u\"}", number);
    cr_assert(device_rule_read(json_reader_value(bytes_of_text(text)), &rule, error));
    return device_set_put(set, &rule);
}

Test(device_set, keeps_what_is_listed_again)
{
    struct loop loop;
    struct feed_table feeds;
    struct device_set set;

    feed_table_init(&feeds);
    cr_assert_eq(loop_open(&loop), 0);
    device_set_init(&set, &loop, &feeds, 0);
    device_set_begin(&set);
    for (unsigned i = 0; i < DEVICE_SET_MAX; i++) {
        cr_assert(put(&set, i));
    }
    cr_assert_not(put(&set, DEVICE_SET_MAX));
    device_set_end(&set);
    const struct device *second = set.all[1];

    device_set_begin(&set);
    cr_assert(put(&set, 1));
    device_set_end(&set);
    cr_assert_eq(set.count, 1);
    cr_assert_eq(set.all[0], second);
    device_set_deinit(&set);
    cr_assert_eq(set.count, 0);
    feed_table_deinit(&feeds);
    loop_close(&loop);
}
