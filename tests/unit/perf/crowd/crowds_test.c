/* What is made of the settings and of the results. No server is started: its path does not exist.
 */
#include "perf/crowd/crowds.h"

#include <criterion/criterion.h>
#include <string.h>

static char path[] = "/nonexistent/relay";

Test(crowds, server_that_does_not_start_is_a_failure)
{
    struct bench_settings settings = {.spawn = path,
                                      .server_cpu = -1,
                                      .client_cpu = -1,
                                      .crowd = 10,
                                      .crowd_ms = 100,
                                      .has_server = true,
                                      .rounds = 2};
    struct crowds crowds;
    char error[SPAWN_ERROR_SIZE] = "";

    cr_assert_lt(crowds_run(&settings, &crowds, error), 0);
    cr_assert_neq(error[0], '\0');
    cr_assert_eq(crowds.count, 0);
    cr_assert_eq(crowds.viewers, 10);
    crowds_release(&crowds);
}

Test(crowds, unusable_cpu_is_an_error)
{
    struct bench_settings settings = {.spawn = path, .client_cpu = 1023, .crowd = 1, .rounds = 1};
    struct crowds crowds;
    char error[SPAWN_ERROR_SIZE] = "";

    cr_assert_lt(crowds_run(&settings, &crowds, error), 0);
    cr_assert_not_null(strstr(error, "1023"));
    crowds_release(&crowds);
}

Test(crowds, are_in_when_all_joined_and_had_the_message)
{
    struct crowd_visit visits[2] = {{.result.message_ns = 5}, {.result.message_ns = 5}};
    struct crowds crowds = {.items = visits, .count = 2};

    cr_assert(crowds_are_in(&crowds));
    visits[1].result.refused = 1;
    cr_assert_not(crowds_are_in(&crowds));
    visits[1].result = (struct crowd_result){.message_ns = 0};
    cr_assert_not(crowds_are_in(&crowds));
}
