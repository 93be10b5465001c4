/* Goal: posted rules come back, listed ones follow their file. The disk is real, the relay is not
 * there. */
#include "host/control/rule_keeper.h"

#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "host/rules/rule_file.h"
#include "tests/unit/host/control/stage.h"

Test(rule_keeper, keeps_posted_rules_and_follows_listed_ones)
{
    char folder[] = "/tmp/rule_keeper_XXXXXX", list[64], state[64];
    char error[JSON_ANSWER_ERROR_SIZE];
    struct rule_keeper keeper;
    struct device_set devices;
    struct stage stage;

    cr_assert_not_null(mkdtemp(folder));
    snprintf(list, sizeof list, "%s/list", folder);
    snprintf(state, sizeof state, "%s/rules.json", folder);
    cr_assert_eq(rule_file_write(list, "[{\"id\":\"1\"},{\"stream\":\"s\",\"feeds\":[]}]"), 0);
    stage_setup(&stage);
    device_set_init(&devices, &stage.loop, &stage.streams.feeds, 0);
    cr_assert(rule_keeper_init(&keeper, &stage.control, &devices, list, folder));
    rule_keeper_start(&keeper);
    json_answer_free(
        control_put_destination(&stage.control, bytes_of_text("{\"id\":\"posted\"}"), error));
    rule_keeper_save(&keeper);
    cr_assert_eq(stage.destinations.count, 2);
    cr_assert_eq(stage.streams.count, 1);
    cr_assert_eq(rule_file_write(list, "[{\"id\":\"2\"}]"), 0);
    rule_keeper_reload(&keeper);
    cr_assert_null(destinations_find(&stage.destinations, "1"));
    cr_assert_not_null(destinations_find(&stage.destinations, "2"));
    cr_assert_not_null(destinations_find(&stage.destinations, "posted"));
    cr_assert_eq(stage.streams.count, 0);
    unlink(list);
    rule_keeper_reload(&keeper);
    cr_assert_eq(stage.destinations.count, 2, "a file that cannot be read changes nothing");
    stage_teardown(&stage);

    stage_setup(&stage);
    device_set_init(&devices, &stage.loop, &stage.streams.feeds, 0);
    cr_assert(rule_keeper_init(&keeper, &stage.control, &devices, NULL, folder));
    rule_keeper_start(&keeper);
    cr_assert_eq(stage.destinations.count, 1);
    cr_assert_not_null(destinations_find(&stage.destinations, "posted"));
    stage_teardown(&stage);
    unlink(state);
    rmdir(folder);
}

Test(rule_keeper, does_without_a_folder)
{
    static char too_long[PATH_MAX + 1];
    struct rule_keeper keeper;
    struct device_set devices;
    struct stage stage;

    stage_setup(&stage);
    device_set_init(&devices, &stage.loop, &stage.streams.feeds, 0);
    cr_assert(rule_keeper_init(&keeper, &stage.control, &devices, NULL, ""));
    rule_keeper_start(&keeper);
    rule_keeper_save(&keeper);
    memset(too_long, 'a', PATH_MAX);
    cr_assert_not(rule_keeper_init(&keeper, &stage.control, &devices, NULL, too_long));
    stage_teardown(&stage);
}
