/* Goal: runs that cannot be made are told from runs in which something went wrong. Method: settings
 * and results by hand. (perf/join makes real ones.) */
#include "perf/join/joins.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(joins, need_a_stream_and_a_relay)
{
    struct bench_settings settings = {.rounds = 1,
                                      .join = 1,
                                      .group_ms = 1000,
                                      .server_cpu = -1,
                                      .client_cpu = -1,
                                      .has_server = true,
                                      .spawn = (char[]){"/bin/false"}};
    struct joins joins;
    char error[SPAWN_ERROR_SIZE];

    cr_assert_neq(joins_run(&settings, &joins, error), 0);
    cr_assert_eq(joins.count, 0);
    joins_release(&joins);
    settings.stream = (char[]){"/no/such/file"};
    cr_assert_eq(joins_run(&settings, &joins, error), -ENOENT);
    cr_assert(strstr(error, "/no/such/file"), "%s", error);
    joins_release(&joins);
}

Test(joins, are_right_when_all_began_with_a_key_picture)
{
    static struct joins_visit visits[2];
    struct joins joins = {.items = visits, .count = 2};

    cr_assert(joins_are_right(&joins));
    visits[1].result.wrong = 1;
    cr_assert_not(joins_are_right(&joins));
    visits[1].result = (struct join_result){.failed = 1};
    cr_assert_not(joins_are_right(&joins));
}
