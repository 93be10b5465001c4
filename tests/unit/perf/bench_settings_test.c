/* Goal: what relay-bench is asked for is complete and free of contradictions, or refused with one
 * line. Method: command lines. */
#include "perf/bench_settings.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

static struct bench_settings settings;
static char error[OPTIONS_ERROR_SIZE];

static void start(void)
{
    unsetenv("RELAY_SECRET");
    unsetenv("RELAY_SECRET_FILE");
}

static void stop(void)
{
    bench_settings_release(&settings);
}

TestSuite(bench_settings, .init = start, .fini = stop);

/* Arguments are separated by spaces. */
static enum options_result parse(const char *arguments)
{
    char text[512], *argv[64] = {(char[]){"relay-bench"}}, *rest = text, *word;
    int argc = 1;

    snprintf(text, sizeof text, "%s", arguments);
    while ((word = strsep(&rest, " ")) != NULL) {
        if (*word != '\0') {
            argv[argc++] = word;
        }
    }
    bench_settings_release(&settings);
    error[0] = '\0';
    return bench_settings_parse(argc, argv, &settings, error);
}

static void parse_well(const char *arguments)
{
    cr_assert_eq(parse(arguments), OPTIONS_OK, "%s: %s", arguments, error);
}

Test(bench_settings, measure_all_scenarios_of_the_floor_once)
{
    parse_well("--floor");
    cr_expect_eq(settings.list.count, 6);
    cr_expect_eq(settings.rounds, 1);
    cr_expect_eq(settings.seconds, 5);
    cr_expect_eq(settings.warmup_ms, 500);
    cr_expect(settings.floor);
    cr_expect_not(settings.has_server || settings.has_server_tls);
}

Test(bench_settings, choose_what_is_measured)
{
    static const struct {
        const char *arguments;
        bool floor, server, server_tls;
    } cases[] = {
        {"--spawn relay", false, true, false},
        {"--spawn relay --floor", true, true, false},
        {"--spawn relay --compare", true, true, false},
        {"--spawn relay --tls --tls-cert c --tls-key k", false, false, true},
        {"--spawn relay --tls --plain --tls-cert c --tls-key k", false, true, true},
        {"--spawn relay --crowd 2000 --compare", false, true, false},
        {"--spawn relay --neighbour tiny --compare", false, true, false},
        {"--spawn relay --join 200 --compare", false, true, false},
        {"--spawn relay --fanout 1,10 --compare", true, true, false},
        {"--spawn relay --idle 10 --compare", true, true, false},
        {"--spawn relay --scale 90 --compare", false, true, false},
        {"--spawn relay --scenarios C --threads 4 --compare", false, true, false},
        {"--spawn relay --scenarios C --churn 4 --compare", false, true, false},
        {"--spawn relay --connects 4 --compare", false, true, false},
        {"--spawn relay --stall 1000 --viewers 5 --stream f --stream-cut 9", false, true, false},
        {"--access http://h --secret s", false, true, false},
        {"--access https://h --secret s --tls", false, true, false},
        {"--connect ws://h/{topic}", false, true, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        parse_well(cases[i].arguments);
        cr_expect_eq(settings.floor, cases[i].floor, "%s", cases[i].arguments);
        cr_expect_eq(settings.has_server, cases[i].server, "%s", cases[i].arguments);
        cr_expect_eq(settings.has_server_tls, cases[i].server_tls, "%s", cases[i].arguments);
    }
}

Test(bench_settings, compare_five_times_unless_told)
{
    parse_well("--compare --spawn relay");
    cr_expect_eq(settings.rounds, 5);
    parse_well("--spawn relay --compare");
    cr_expect_eq(settings.rounds, 5);
    parse_well("--compare 7 --spawn relay");
    cr_expect_eq(settings.rounds, 7);
}

Test(bench_settings, make_a_scenario_of_the_users_own)
{
    parse_well("--floor --viewers 25");
    cr_assert_eq(settings.list.count, 1);
    const struct scenario *scenario = &settings.list.items[0];

    cr_expect_str_eq(scenario->name, "custom");
    cr_expect_eq(scenario->topics, 1);
    cr_expect_eq(scenario->viewers, 25);
    cr_expect_eq(scenario->bytes, 4096);
    cr_expect_eq(scenario->rate, 100);
}

Test(bench_settings, spread_idle_connections_over_topics)
{
    parse_well("--floor --idle 1000 --topics 10");
    const struct scenario *scenario = &settings.list.items[0];

    cr_expect_str_eq(scenario->name, "idle");
    cr_expect_eq(scenario->viewers, 100);
    cr_expect_eq(scenario->rate, 0);
}

Test(bench_settings, make_a_scenario_of_each_number_of_viewers)
{
    parse_well("--floor --fanout 1,100 --rate 7");
    cr_assert_eq(settings.list.count, 2);
    cr_expect_str_eq(settings.list.items[1].name, "x100");
    cr_expect_eq(settings.list.items[1].viewers, 100);
    cr_expect_eq(settings.list.items[1].rate, 7);
}

Test(bench_settings, let_several_threads_use_all_processors)
{
    parse_well("--spawn relay --topics 4 --threads 4");
    cr_expect_eq(settings.server_cpu, BENCH_SETTINGS_CPU_ANY);
    cr_expect_eq(settings.client_cpu, BENCH_SETTINGS_CPU_ANY);
}

Test(bench_settings, refuse_contradictions)
{
    static const struct {
        const char *arguments;
        const char *reason; /* its beginning */
    } cases[] = {
        {"", "nothing to measure"},
        {"--compare", "--compare needs a server"},
        {"--floor --scenarios A --topics 2", "--scenarios excludes"},
        {"--floor --scenarios G", "--scenarios must be letters"},
        {"--floor --idle 5 --rate 1", "--idle excludes --viewers and --rate"},
        {"--floor --idle 5 --topics 6", "--idle must be at least --topics"},
        {"--spawn relay --connect ws://h", "--spawn, --access and --connect exclude each other"},
        {"--spawn relay --server-pid 1", "--spawn knows its process"},
        {"--access http://h", "--access needs RELAY_SECRET"},
        {"--access http://h --secret s --server-pid x", "--server-pid must be process ids"},
        {"--spawn relay --tls --tls-cert c", "--tls-cert and --tls-key belong together"},
        {"--spawn relay --tls", "--spawn with TLS needs all of"},
        {"--spawn relay --tls-cert c --tls-key k", "--spawn with TLS needs all of"},
        {"--spawn relay --plain", "--plain is for --spawn with --tls"},
        {"--access http://h --secret-file /nowhere/s", "cannot read /nowhere/s: "},
        {"--crowd 5 --access http://h --secret s", "--crowd needs --spawn"},
        {"--crowd 5 --spawn relay --viewers 3", "--crowd excludes"},
        {"--crowd 5 --spawn relay --neighbour tiny", "--crowd excludes"},
        {"--join 5 --access http://h --secret s", "--join and --stall need --spawn"},
        {"--join 5 --stall 5 --spawn relay", "--join and --stall exclude each other"},
        {"--stall 5 --spawn relay --floor", "--join and --stall exclude each other"},
        {"--stall 5 --spawn relay --viewers 1001", "--viewers must be at most 1000"},
        {"--spawn relay --stream f", "--stream and --stream-cut are for"},
        {"--neighbour tiny --floor --spawn relay", "--neighbour has a scenario of its own"},
        {"--spawn relay --fanout 1 --idle 4", "--fanout, --scale, --idle, --connects"},
        {"--spawn relay --connects 1 --scale 4", "--fanout, --scale, --idle, --connects"},
        {"--access http://h --secret s --scale 4", "--scale and --connects need --spawn"},
        {"--access http://h --secret s --connects 4", "--scale and --connects need --spawn"},
        {"--spawn relay --scale 4 --rate 5", "--scale finds the rate"},
        {"--spawn relay --scale 4 --workers 0", "--scale finds the rate"},
        {"--spawn relay --fanout 4 --viewers 5", "--fanout excludes"},
        {"--spawn relay --fanout 4,x", "--fanout must be numbers"},
        {"--spawn relay --connects 4 --viewers 5", "--connects excludes"},
        {"--spawn relay --churn 4 --floor", "--churn is for"},
        {"--spawn relay --churn 4 --idle 5", "--churn is for"},
        {"--spawn relay --threads 2 --floor --topics 4", "--threads is for"},
        {"--spawn relay --threads 2 --crowd 5", "--threads is for"},
        {"--spawn relay --threads 2 --scenarios A", "--threads divides topics"},
        {"--floor --bytes 23", ""}, /* no room for the stamp */
        {"--floor --seconds 0", ""},
        {"--nothing", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect_eq(parse(cases[i].arguments), OPTIONS_ERROR, "%s", cases[i].arguments);
        cr_expect_eq(strncmp(error, cases[i].reason, strlen(cases[i].reason)), 0, "%s: %s",
                     cases[i].arguments, error);
        cr_expect_neq(error[0], '\0', "%s", cases[i].arguments);
    }
}

Test(bench_settings, take_the_secret_from_a_file_or_the_environment)
{
    char path[] = "/tmp/relay-settings-test-XXXXXX", arguments[128];
    int fd = mkstemp(path);

    cr_assert_geq(fd, 0);
    cr_assert_eq(write(fd, "filesecret\n", 11), 11);
    close(fd);
    snprintf(arguments, sizeof arguments, "--access http://h --secret-file %s", path);
    parse_well(arguments);
    cr_expect_str_eq(settings.secret, "filesecret");
    setenv("RELAY_SECRET", "envsecret", 1);
    parse_well(arguments);
    cr_expect_str_eq(settings.secret, "envsecret");
    unlink(path);
}

Test(bench_settings, use_two_processors_or_let_the_system_choose)
{
    bool two = process_cpu_usable(1) >= 0;

    parse_well("--floor");
    cr_expect_eq(settings.server_cpu, two ? process_cpu_usable(0) : BENCH_SETTINGS_CPU_ANY);
    cr_expect_eq(settings.client_cpu, two ? process_cpu_usable(1) : BENCH_SETTINGS_CPU_ANY);
    parse_well("--floor --server-cpu -1 --client-cpu 0");
    cr_expect_eq(settings.server_cpu, BENCH_SETTINGS_CPU_ANY);
    cr_expect_eq(settings.client_cpu, 0);
}

Test(bench_settings, help_first)
{
    char text[256];

    cr_redirect_stdout();
    cr_expect_eq(parse("--nothing --help"), OPTIONS_HELP);
    fflush(stdout);
    cr_expect_gt(fread(text, 1, sizeof text - 1, cr_get_redirected_stdout()), 0);
    cr_expect_eq(strncmp(text, "relay-bench: measure a relay", 28), 0);
}
