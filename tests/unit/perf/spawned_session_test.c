/* Goal: each round and target has a relay and a session of its own, and the first failure ends it.
 * Method: a program that is no relay, and settings by hand. (perf/join and perf/stall run real
 * ones.) */
#include "perf/spawned_session.h"

#include <criterion/criterion.h>
#include <string.h>

static int never(void *ctx, struct spawned_session *spawned, char error[static SPAWN_ERROR_SIZE])
{
    cr_assert_fail("it has no relay");
    return 0;
}

static struct bench_settings settings = {.rounds = 3,
                                         .server_cpu = -1,
                                         .client_cpu = -1,
                                         .has_server = true,
                                         .spawn = (char[]){"/bin/false"}};

Test(spawned_session, fails_with_a_relay_that_does_not_start)
{
    char error[SPAWN_ERROR_SIZE] = "";

    cr_assert_neq(spawned_session_run_all(&settings, "test", never, NULL, error), 0);
    cr_assert_neq(error[0], '\0');
}

Test(spawned_session, does_nothing_where_no_target_is_wanted)
{
    char error[SPAWN_ERROR_SIZE] = "";

    settings.has_server = false;
    cr_assert_eq(spawned_session_run_all(&settings, "test", never, NULL, error), 0);
}
