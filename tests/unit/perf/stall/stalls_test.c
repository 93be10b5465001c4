/* Goal: runs that cannot be made are told from runs in which something went wrong. Method: settings
 * and results by hand. (perf/stall makes real ones.) */
#include "perf/stall/stalls.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <string.h>

Test(stalls, need_a_stream_and_a_relay)
{
    struct bench_settings settings = {.rounds = 1,
                                      .stall = 1,
                                      .group_ms = 1000,
                                      .server_cpu = -1,
                                      .client_cpu = -1,
                                      .has_server = true,
                                      .spawn = (char[]){"/bin/false"}};
    struct stalls stalls;
    char error[SPAWN_ERROR_SIZE];

    cr_assert_neq(stalls_run(&settings, &stalls, error), 0);
    cr_assert_eq(stalls.count, 0);
    stalls_release(&stalls);
    settings.stream = (char[]){"/no/such/file"};
    cr_assert_eq(stalls_run(&settings, &stalls, error), -ENOENT);
    cr_assert(strstr(error, "/no/such/file"), "%s", error);
    stalls_release(&stalls);
}

Test(stalls, are_right_when_others_got_all_and_nothing_was_broken)
{
    static struct stalls_visit visits[2];
    struct stall_result *result = &visits[1].result;
    struct stalls stalls = {.items = visits, .count = 2};

    cr_assert(stalls_are_right(&stalls));
    result->with.due = 1;
    cr_assert_not(stalls_are_right(&stalls));
    result->with.seen = 1;
    cr_assert(stalls_are_right(&stalls));
    result->slow.broken = 1;
    cr_assert_not(stalls_are_right(&stalls));
    result->slow.broken = 0;
    result->others_broken = 1;
    cr_assert_not(stalls_are_right(&stalls));
}
