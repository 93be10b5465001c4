/* Which encounters the settings ask for. No server is started: its path does not exist. */
#include "perf/neighbour/encounters.h"

#include <criterion/criterion.h>
#include <string.h>

static char path[] = "/nonexistent/relay";

static struct bench_settings settings_of(const char *kinds)
{
    struct bench_settings settings = {.spawn = path,
                                      .server_cpu = -1,
                                      .client_cpu = -1,
                                      .neighbour_cpu = -1,
                                      .neighbour_percent = 100,
                                      .has_server = true,
                                      .rounds = 2};

    cr_assert_eq(attack_list_parse(kinds, &settings.attacks), 0);
    return settings;
}

Test(encounters, are_made_kind_by_kind_in_rounds)
{
    struct bench_settings settings = settings_of("tiny,hellos");
    struct encounters encounters;
    char error[SPAWN_ERROR_SIZE];

    cr_assert_eq(encounters_run(&settings, &encounters, error), 0);
    cr_assert_eq(encounters.count, 4);
    cr_assert_str_eq(encounters.items[1].attack->name, "tiny");
    cr_assert_eq(encounters.items[1].round, 1);
    cr_assert_str_eq(encounters.items[2].attack->name, "hellos");
    cr_assert(encounters.items[2].is_left_out, "there is no TLS");
    encounters_release(&encounters);
    cr_assert_eq(encounters.count, 0);
}

Test(encounters, that_need_tls_are_not_made_without_where_there_is_tls)
{
    struct bench_settings settings = settings_of("hellos,joins");
    struct encounters encounters;
    char error[SPAWN_ERROR_SIZE];

    settings.has_server_tls = true;
    settings.tls = true;
    settings.insecure = true;
    settings.rounds = 1;
    cr_assert_eq(encounters_run(&settings, &encounters, error), 0);
    cr_assert_eq(encounters.count, 3);
    cr_assert_eq(encounters.items[0].target, TARGET_SERVER_TLS);
    cr_assert_not(encounters.items[0].is_left_out);
    cr_assert_eq(encounters.items[1].target, TARGET_SERVER);
    cr_assert_eq(encounters.items[2].target, TARGET_SERVER_TLS);
    encounters_release(&encounters);
}

Test(encounters, unusable_cpu_is_an_error)
{
    struct bench_settings settings = settings_of("tiny");
    struct encounters encounters;
    char error[SPAWN_ERROR_SIZE];

    settings.client_cpu = 1023;
    cr_assert_lt(encounters_run(&settings, &encounters, error), 0);
    cr_assert_not_null(strstr(error, "1023"));
    encounters_release(&encounters);
}
