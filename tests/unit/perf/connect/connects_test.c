/* Goal: what is made of the settings and of the results. Method: no server is started: its path
 * does not exist. (perf/connects runs a real one.) */
#include "perf/connect/connects.h"

#include <criterion/criterion.h>

Test(connects, server_that_does_not_start_is_a_failure)
{
    struct bench_settings settings = {.spawn = (char[]){"/nonexistent/relay"},
                                      .server_cpu = -1,
                                      .client_cpu = -1,
                                      .connects = 10,
                                      .at_once = 3,
                                      .has_server = true,
                                      .rounds = 2};
    struct connects connects;
    char error[SPAWN_ERROR_SIZE] = "";

    cr_assert_lt(connects_run(&settings, &connects, error), 0);
    cr_assert_neq(error[0], '\0');
    cr_assert_eq(connects.count, 0);
    cr_assert_eq(connects.at_once, 3);
    connects_release(&connects);
}

Test(connects, are_in_when_none_failed)
{
    struct connects_item items[2] = {{.result.done = 5}, {.result.done = 5}};
    struct connects connects = {.items = items, .count = 2};

    cr_assert(connects_are_in(&connects));
    items[1].result.failed = 1;
    cr_assert_not(connects_are_in(&connects));
}
