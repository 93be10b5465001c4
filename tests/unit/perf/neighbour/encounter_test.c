/* What counts as lost, and encounters that cannot take place. */
#include "perf/neighbour/encounter.h"

#include <criterion/criterion.h>
#include <math.h>
#include <string.h>

static struct encounter_half half_of(uint64_t expected, uint64_t lost, uint64_t held)
{
    struct encounter_half half = {.camera.scenario.viewers = 10};

    half.camera.result.whole_run.expected = expected;
    half.camera.result.whole_run.lost = lost;
    half.camera.result.held = held;
    return half;
}

Test(encounter, pictures_that_were_not_taken_are_lost_too)
{
    struct encounter_half none = half_of(1000, 0, 0);
    struct encounter_half some = half_of(1000, 250, 0);
    struct encounter_half held = half_of(500, 0, 50);
    struct encounter_half never = half_of(0, 0, 0);

    cr_assert(fabs(encounter_half_lost_percent(&none)) < 1e-9);
    cr_assert(fabs(encounter_half_lost_percent(&some) - 25) < 1e-9);
    cr_assert(fabs(encounter_half_lost_percent(&held) - 50) < 1e-9);
    cr_assert(fabs(encounter_half_lost_percent(&never)) < 1e-9);
}

Test(encounter, without_tls_is_left_out)
{
    struct bench_settings settings = {.spawn = NULL};
    struct attack attack = {.name = "x", .needs_tls = true};
    static struct encounter encounter;

    encounter_run(&settings, &attack, TARGET_SERVER, 0, NULL, &encounter);
    cr_assert(encounter.is_left_out);
    cr_assert_not_null(strstr(encounter.error, "--tls-cert"));
}

Test(encounter, without_a_server_says_why)
{
    char path[] = "/nonexistent/relay";
    struct bench_settings settings = {.spawn = path, .server_cpu = -1, .client_cpu = -1};
    struct attack attack = {.name = "x"};
    static struct encounter encounter;

    encounter_run(&settings, &attack, TARGET_SERVER, 0, NULL, &encounter);
    cr_assert_not(encounter.is_left_out);
    cr_assert_not_null(strstr(encounter.error, "/nonexistent/relay"));
}
