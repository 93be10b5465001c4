/* Goal: figures and verdicts follow from the counts, and all runs are made in an order that favours
 * no target. Method: counts made by hand; runs, servers and the floor are the test's. */
#include "perf/measurement.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "perf/load/load_session.h"
#include "perf/target/floor.h"

/* In place of the real ones. */
static char order[64]; /* of the runs: f, s or t */
static struct load_config last_config;
static struct load_session last_session;
static struct spawn_config last_spawn;
static unsigned floors_running, servers_running, runs;
static uint64_t cpu_ns_by_rate; /* what the server spends on one message a second */
static unsigned lost_above;     /* messages a second; 0: never */
static int (*open_in_place)(void *ctx, unsigned topic, enum connector_role role,
                            struct connection *ret_connection,
                            char error[static LOAD_TRANSPORT_ERROR_SIZE]);
static int load_result_, floor_result, spawn_result, spawn_end_result;

static bool is_near(double a, double b)
{
    return fabs(a - b) < 1e-9;
}

int load_run(const struct load_config *config, struct load_result *ret_result,
             char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    last_config = *config;
    runs++;
    if (config->on_window != NULL) {
        config->on_window(config->on_window_ctx);
    }
    *ret_result = (struct load_result){.window_ns = config->window_ns};
    ret_result->server.window_end.cpu_ns = config->scenario.rate * cpu_ns_by_rate;
    ret_result->whole_run.lost = lost_above > 0 && config->scenario.rate > lost_above;
    if (load_result_ != 0) {
        snprintf(error, LOAD_TRANSPORT_ERROR_SIZE, "the load failed");
    }
    return load_result_;
}

static void order_add(const char *target)
{
    strncat(order, target, sizeof order - strlen(order) - 1);
}

int floor_start(struct floor *floor, const struct scenario *scenario, int cpu)
{
    if (floor_result == 0) {
        order_add("f");
        floors_running++;
        *floor = (struct floor){.pid = 4711};
    }
    return floor_result;
}

struct connector floor_connector(struct floor *floor)
{
    return (struct connector){.ctx = floor};
}

void floor_end(struct floor *floor)
{
    floors_running--;
}

struct connector load_session_connector(struct load_session *session)
{
    last_session = *session;
    return (struct connector){.ctx = session, .is_masked = true, .open = open_in_place};
}

int spawn_start(const struct spawn_config *config, struct spawned *ret_spawned,
                char error[static SPAWN_ERROR_SIZE])
{
    last_spawn = *config;
    if (spawn_result != 0) {
        snprintf(error, SPAWN_ERROR_SIZE, "the server exited at once");
        return spawn_result;
    }
    order_add(config->tls_cert == NULL ? "s" : "t");
    servers_running++;
    *ret_spawned = (struct spawned){
        .pid = 42, .ready_ns = 77, .secret = "somesecret", .access_url = "http://127.0.0.1:3000"};
    return 0;
}

int spawn_end(struct spawned *spawned, char error[static SPAWN_ERROR_SIZE])
{
    servers_running--;
    if (spawn_end_result != 0) {
        snprintf(error, SPAWN_ERROR_SIZE, "the server did not exit in time");
    }
    return spawn_end_result;
}

static struct measurement measurement_of_100_messages(void)
{
    return (struct measurement){
        .scenario = {.name = "A", .topics = 1, .viewers = 1, .rate = 100},
        .target = TARGET_SERVER,
        .result = {.window_ns = 1000000000,
                   .planned = 100,
                   .delivered = 100,
                   .delivered_bytes = 1000,
                   .server = {.window_start.cpu_ns = 500, .window_end.cpu_ns = 2500}},
    };
}

Test(measurement, gives_processor_time_by_byte_and_by_message)
{
    struct measurement m = measurement_of_100_messages();

    cr_expect(is_near(measurement_cpu_s_per_gb(&m), 2), "2000 ns of 1000 bytes");
    cr_expect(is_near(measurement_cpu_us_per_message(&m), 0.02));
    m.result.delivered = 0;
    m.result.delivered_bytes = 0;
    cr_expect(is_near(measurement_cpu_s_per_gb(&m), 0));
    cr_expect(is_near(measurement_cpu_us_per_message(&m), 0));
}

Test(measurement, gives_memory_by_connection)
{
    struct measurement m = {.scenario = {.topics = 10, .viewers = 10}};

    m.result.server.before.rss_anon_bytes = 5000;
    m.result.server.connected.rss_anon_bytes = 105000;
    cr_expect(is_near(measurement_bytes_per_connection(&m), 1000));
    m.result.server.connected.rss_anon_bytes = 4000;
    cr_expect(is_near(measurement_bytes_per_connection(&m), -10),
              "memory may have been given back");
    m.result.server.before.private_bytes = 7000;
    m.result.server.window_end.private_bytes = 207000;
    m.result.server.before.pss_bytes = 8000;
    m.result.server.window_end.pss_bytes = 308000;
    cr_expect(is_near(measurement_private_per_connection(&m), 2000));
    cr_expect(is_near(measurement_pss_per_connection(&m), 3000));
}

Test(verdict, names_what_went_wrong)
{
    struct measurement measurement = measurement_of_100_messages(), *m = &measurement;

    cr_assert_eq(measurement_verdict(m), VERDICT_VALID);
    m->result.late = 1;
    cr_assert_eq(measurement_verdict(m), VERDICT_VALID, "one in a hundred may be late");
    m->result.held = 2;
    cr_assert_eq(measurement_verdict(m), VERDICT_SERVER_LATE);
    m->result.held = 0;
    m->result.published = 103;
    cr_assert_eq(measurement_verdict(m), VERDICT_VALID, "two under way and one in a hundred");
    m->result.published = 104;
    cr_assert_eq(measurement_verdict(m), VERDICT_SERVER_LATE, "a backlog at the end");
    m->result.skipped = 1;
    cr_assert_eq(measurement_verdict(m), VERDICT_GENERATOR_LATE);
    m->result.whole_run.lost = 1;
    cr_assert_eq(measurement_verdict(m), VERDICT_WRONG);
    m->result.whole_run.lost = 0;
    m->result.skipped = 0;
    m->result.published = 100;
    m->result.own_cpu_ns = 990000000;
    cr_assert_eq(measurement_verdict(m), VERDICT_GENERATOR_LATE, "a saturated generator");
}

Test(verdict, is_wrong_for_each_fault_of_a_message)
{
    struct measurement m = measurement_of_100_messages();
    uint64_t *const faults[] = {&m.result.whole_run.lost, &m.result.whole_run.out_of_order,
                                &m.result.whole_run.foreign, &m.result.whole_run.damaged,
                                &m.result.whole_run.closed};

    for (size_t i = 0; i < ARRAY_LENGTH(faults); i++) {
        *faults[i] = 1;
        cr_expect_eq(measurement_verdict(&m), VERDICT_WRONG, "fault %zu", i);
        *faults[i] = 0;
    }
    m.result.whole_run.probes = 2;
    m.result.whole_run.probes_answered = 1;
    cr_expect_eq(measurement_verdict(&m), VERDICT_WRONG, "a ping without its pong");
    m.result.whole_run.probes_answered = 2;
    m.result.whole_run.merged = 1;
    m.result.whole_run.fragmented = 1;
    cr_expect_eq(measurement_verdict(&m), VERDICT_VALID, "framed otherwise, but all there");
}

/* All runs. */

static struct bench_settings settings;
static struct measurements measurements;
static char error[SPAWN_ERROR_SIZE];

static void start(void)
{
    cr_redirect_stderr();
    settings = (struct bench_settings){.seconds = 2,
                                       .warmup_ms = 500,
                                       .rounds = 1,
                                       .client_cpu = BENCH_SETTINGS_CPU_ANY,
                                       .server_cpu = BENCH_SETTINGS_CPU_ANY};
    cr_assert_eq(scenario_list_parse("A", &settings.list), 0);
}

static void stop(void)
{
    measurement_release_all(&measurements);
    cr_expect_eq(floors_running + servers_running, 0);
}

TestSuite(measurement, .init = start, .fini = stop);

static void with_spawned(void)
{
    static char path[] = "relay", cert[] = "cert.pem", key[] = "key.pem";

    settings.spawn = path;
    settings.tls_cert = cert;
    settings.tls_key = key;
}

Test(measurement, lets_each_target_begin_a_round)
{
    with_spawned();
    settings.floor = settings.has_server = settings.has_server_tls = true;
    settings.rounds = 4;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_str_eq(order, "fst"
                            "stf"
                            "tfs"
                            "fst");
    cr_assert_eq(measurements.count, 12);
    cr_expect_eq(measurements.items[3].target, TARGET_SERVER);
    cr_expect_eq(measurements.items[3].round, 1);
}

Test(measurement, finishes_a_scenario_before_the_next)
{
    settings.floor = true;
    settings.rounds = 2;
    cr_assert_eq(scenario_list_parse("B,D", &settings.list), 0);
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_assert_eq(measurements.count, 4);
    cr_expect_str_eq(measurements.items[1].scenario.name, "B");
    cr_expect_eq(measurements.items[1].round, 1);
    cr_expect_str_eq(measurements.items[2].scenario.name, "D");
    cr_expect_eq(measurements.items[2].round, 0);
    cr_expect_eq(last_config.server.pids[0], 4711);
    cr_expect_eq(last_config.window_ns, 2000000000);
    cr_expect_eq(last_config.warmup_ns, 500000000);
}

Test(measurement, asks_a_spawned_server_with_its_own_secret)
{
    with_spawned();
    settings.has_server = true;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_null(last_spawn.tls_cert, "the plain one");
    cr_expect_str_eq(last_spawn.path, "relay");
    cr_expect_eq(last_config.server.pids[0], 42);
    cr_expect_eq(measurements.items[0].ready_ns, 77);
    cr_expect(measurements.items[0].has_usage);
    cr_expect_not_null(last_session.keys);
    cr_expect_eq(last_session.token_life_s, 602, "longer than the run");
}

Test(measurement, asks_a_running_server_as_told)
{
    static char access_url[] = "http://127.0.0.1:3000", audience[] = "https://relay.example";
    static char secret[] = "somesecret";

    settings.has_server = true;
    settings.access = access_url;
    settings.secret = secret;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_str_eq(last_session.audience, access_url);
    cr_expect_not(measurements.items[0].has_usage, "its process is not known");
    measurement_release_all(&measurements);
    settings.audience = audience;
    settings.server = (struct process_set){.pids = {7}, .count = 1};
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_str_eq(last_session.audience, audience);
    cr_expect(measurements.items[0].has_usage);
}

Test(measurement, asks_a_server_without_access_api_without_a_token)
{
    static char url[] = "ws://127.0.0.1:9001/{topic}";

    settings.has_server = true;
    settings.connect = url;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_null(last_session.keys);
    cr_expect_null(last_session.access_url);
    cr_expect_str_eq(last_session.connect_url, url);
}

Test(measurement, keeps_what_was_measured_before_a_failure)
{
    with_spawned();
    settings.floor = settings.has_server = true;
    spawn_result = -ECHILD;
    cr_expect_eq(measurement_run_all(&settings, &measurements, error), -ECHILD);
    cr_expect_str_eq(error, "the server exited at once");
    cr_expect_eq(measurements.count, 1);
}

Test(measurement, ends_the_server_although_the_load_failed)
{
    with_spawned();
    settings.has_server = true;
    load_result_ = -EACCES;
    spawn_end_result = -ETIMEDOUT;
    cr_expect_eq(measurement_run_all(&settings, &measurements, error), -EACCES);
    cr_expect_str_eq(error, "the load failed", "the first reason counts");
    cr_expect_eq(measurements.count, 0);
}

Test(measurement, does_not_take_a_server_that_failed_at_its_end)
{
    with_spawned();
    settings.has_server = true;
    spawn_end_result = -ETIMEDOUT;
    cr_expect_eq(measurement_run_all(&settings, &measurements, error), -ETIMEDOUT);
    cr_expect_str_eq(error, "the server did not exit in time");
}

Test(measurement, finds_the_rate_that_keeps_workers_busy)
{
    with_spawned();
    settings.has_server = true;
    settings.scale = 80;
    settings.workers = 2;
    settings.seconds = 1;
    cpu_ns_by_rate = 100000; /* 20000 messages a second are two workers */
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_geq(measurements.items[0].scenario.rate, 15200);
    cr_expect_leq(measurements.items[0].scenario.rate, 16800);
    cr_expect_eq(last_config.scenario.rate, measurements.items[0].scenario.rate);
    cr_expect(is_near(measurement_busy_percent(&measurements.items[0]),
                      measurements.items[0].scenario.rate * 0.005));
}

Test(measurement, takes_the_last_rate_that_was_kept)
{
    with_spawned();
    settings.has_server = true;
    settings.scale = 80;
    settings.workers = 2;
    settings.seconds = 1;
    cpu_ns_by_rate = 100000;
    lost_above = 9000;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_gt(measurements.items[0].scenario.rate, 4500);
    cr_expect_leq(measurements.items[0].scenario.rate, lost_above);
}

Test(measurement, divides_topics_among_threads)
{
    with_spawned();
    settings.has_server = true;
    settings.threads = 3;
    cr_assert_eq(scenario_list_parse("C", &settings.list), 0);
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect_eq(runs, 3);
    cr_expect_eq(measurements.items[0].threads, 3);
}

static int refused_open(void *ctx, unsigned topic, enum connector_role role,
                        struct connection *ret_connection,
                        char reason[static LOAD_TRANSPORT_ERROR_SIZE])
{
    snprintf(reason, LOAD_TRANSPORT_ERROR_SIZE, "HTTP 503");
    return -EACCES;
}

Test(measurement, lets_viewers_come_and_go)
{
    with_spawned();
    settings.has_server = true;
    settings.churn = 10;
    settings.seconds = 1;
    open_in_place = refused_open;
    cr_assert_eq(measurement_run_all(&settings, &measurements, error), 0, "%s", error);
    cr_expect(measurements.items[0].has_churn);
    cr_expect_eq(measurements.items[0].churn.failed, 10);
    cr_expect_str_eq(measurements.items[0].churn.failure, "HTTP 503");
    cr_expect_eq(measurement_verdict(&measurements.items[0]), VERDICT_WRONG);
}

Test(measurement, says_that_the_floor_cannot_start)
{
    settings.floor = true;
    floor_result = -EMFILE;
    cr_expect_eq(measurement_run_all(&settings, &measurements, error), -EMFILE);
    cr_expect_str_eq(error, "cannot start the floor: Too many open files");
}
