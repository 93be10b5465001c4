#include "perf/measurement.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "perf/generator.h"
#include "perf/load/load_session.h"
#include "perf/scale/crew.h"
#include "perf/scale/share.h"
#include "perf/target/floor.h"

enum {
    TOKEN_LIFE_MARGIN_S = 600,
    FAULTS_PER_HUNDRED_MAX = 1, /* share of late, skipped or held messages that a valid run may
                                 * have */
    OWN_CPU_PERCENT_MAX = 95,   /* a busier generator adds its own delays to every figure */
};

const char *measurement_target_text(enum target target)
{
    switch (target) {
    case TARGET_FLOOR:
        return "floor";
    case TARGET_SERVER:
        return "server";
    case TARGET_SERVER_TLS:
        return "wss";
    case TARGET_COUNT:
        break;
    }
    UNREACHABLE();
}

const char *measurement_verdict_text(enum verdict verdict)
{
    switch (verdict) {
    case VERDICT_VALID:
        return "valid";
    case VERDICT_GENERATOR_LATE:
        return "generator late: not valid";
    case VERDICT_SERVER_LATE:
        return "server late: not valid";
    case VERDICT_WRONG:
        return "messages lost or wrong";
    case VERDICT_COUNT:
        break;
    }
    UNREACHABLE();
}

/* Messages of the window that arrived after it, beyond one in flight to each viewer: the server
 * works through a backlog after the measurement. */
static uint64_t undelivered(const struct measurement *measurement)
{
    uint64_t expected = measurement->result.published * measurement->scenario.viewers;
    uint64_t arrived = measurement->result.delivered + scenario_connections(&measurement->scenario);

    return expected > arrived ? expected - arrived : 0;
}

enum verdict measurement_verdict(const struct measurement *measurement)
{
    const struct load_result *result = &measurement->result;
    const struct scenario *scenario = &measurement->scenario;
    uint64_t wrong = result->whole_run.lost + result->whole_run.out_of_order +
                     result->whole_run.foreign + result->whole_run.damaged +
                     result->whole_run.closed + result->whole_run.probes -
                     result->whole_run.probes_answered + measurement->churn.failed;

    if (wrong > 0) {
        return VERDICT_WRONG;
    }
    if ((result->late + result->skipped) * 100 > result->planned * FAULTS_PER_HUNDRED_MAX ||
        result->own_cpu_ns > result->window_ns / 100 * OWN_CPU_PERCENT_MAX) {
        return VERDICT_GENERATOR_LATE;
    }
    if (result->held * 100 > result->planned * FAULTS_PER_HUNDRED_MAX ||
        undelivered(measurement) * 100 >
            result->planned * scenario->viewers * FAULTS_PER_HUNDRED_MAX) {
        return VERDICT_SERVER_LATE;
    }
    return VERDICT_VALID;
}

static double cpu_ns(const struct measurement *measurement)
{
    return (double)(measurement->result.server.window_end.cpu_ns -
                    measurement->result.server.window_start.cpu_ns);
}

double measurement_cpu_s_per_gb(const struct measurement *measurement)
{
    double bytes = (double)measurement->result.delivered_bytes;

    return bytes > 0 ? cpu_ns(measurement) / bytes : 0; /* ns per byte is s per 10⁹ bytes */
}

double measurement_cpu_us_per_message(const struct measurement *measurement)
{
    double messages = (double)measurement->result.delivered;

    return messages > 0 ? cpu_ns(measurement) / messages / 1000 : 0;
}

double measurement_busy_percent(const struct measurement *measurement)
{
    unsigned workers = measurement->workers > 0 ? measurement->workers : 1;
    double window_ns = (double)measurement->result.window_ns;

    return window_ns > 0 ? 100 * cpu_ns(measurement) / window_ns / workers : 0;
}

static double for_each_connection(const struct measurement *measurement, uint64_t with,
                                  uint64_t before)
{
    return ((double)with - (double)before) / (double)scenario_connections(&measurement->scenario);
}

double measurement_bytes_per_connection(const struct measurement *measurement)
{
    return for_each_connection(measurement, measurement->result.server.connected.rss_anon_bytes,
                               measurement->result.server.before.rss_anon_bytes);
}

double measurement_private_per_connection(const struct measurement *measurement)
{
    return for_each_connection(measurement, measurement->result.server.window_end.private_bytes,
                               measurement->result.server.before.private_bytes);
}

double measurement_pss_per_connection(const struct measurement *measurement)
{
    return for_each_connection(measurement, measurement->result.server.window_end.pss_bytes,
                               measurement->result.server.before.pss_bytes);
}

struct runner {
    const struct bench_settings *settings;
    SSL_CTX *tls;
    struct measurements *measurements;
};

static struct load_config load_config_of(const struct runner *runner,
                                         const struct scenario *scenario)
{
    return (struct load_config){
        .scenario = *scenario,
        .warmup_ns = (uint64_t)runner->settings->warmup_ms * 1000000u,
        .window_ns = (uint64_t)runner->settings->seconds * 1000000000u,
    };
}

static int floor_measure(const struct runner *runner, struct measurement *measurement, char *error)
{
    struct floor floor;
    struct load_config config = load_config_of(runner, &measurement->scenario);
    int failed = floor_start(&floor, &measurement->scenario, (int)runner->settings->server_cpu);

    if (failed != 0) {
        snprintf(error, SPAWN_ERROR_SIZE, "cannot start the floor: %s", strerror(-failed));
        return failed;
    }
    config.connector = floor_connector(&floor);
    config.server = (struct process_set){.pids = {floor.pid}, .count = 1};
    measurement->has_usage = true;
    failed = load_run(&config, &measurement->result, error);
    floor_end(&floor);
    return failed;
}

static int threads_run(const struct load_config *config, const struct load_session *session,
                       struct measurement *measurement, char *error)
{
    return measurement->threads > 1
               ? crew_run(config, session, measurement->threads, &measurement->result, error)
               : load_run(config, &measurement->result, error);
}

/* Beside viewers that come and go, where that is asked for. */
static int churned_load_run(const struct bench_settings *settings, const struct load_config *base,
                            const struct load_session *session, struct measurement *measurement,
                            char *error)
{
    struct load_config config = *base;

    measurement->has_churn = settings->churn > 0;
    if (!measurement->has_churn) {
        return threads_run(&config, session, measurement, error);
    }
    struct churn_config churn_config = {
        .connector = config.connector,
        .topics = config.scenario.topics,
        .record_bytes = config.scenario.bytes,
        .every_ns = config.scenario.rate == 0 ? 0 : 1000000000 / config.scenario.rate,
        .rate = (unsigned)settings->churn,
        .window_ns = config.window_ns,
    };
    struct churn *churn = churn_start(&churn_config);

    if (churn == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "cannot start threads");
        return -EAGAIN;
    }
    config.on_window = churn_go;
    config.on_window_ctx = churn;
    int failed = threads_run(&config, session, measurement, error);

    churn_end(churn, &measurement->churn);
    return failed;
}

/* access_url NULL: the server has no access step. */
static int session_measure(const struct runner *runner, const struct load_config *base,
                           const char *access_url, const char *audience, const char *secret,
                           struct measurement *measurement, char *error)
{
    struct load_config config = *base;
    struct load_session session = {
        .access_url = access_url,
        .connect_url = runner->settings->connect,
        .audience = audience,
        .tls = runner->tls,
        .insecure = runner->settings->insecure,
        .token_life_s = runner->settings->seconds + TOKEN_LIFE_MARGIN_S,
    };
    struct token_keys *keys = access_url != NULL ? token_keys_create(secret) : NULL;

    if (access_url != NULL && keys == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "the secret cannot be used as a key");
        return -EINVAL;
    }
    session.keys = keys;
    config.connector = load_session_connector(&session);
    int failed = churned_load_run(runner->settings, &config, &session, measurement, error);

    token_keys_destroy(keys);
    return failed;
}

static int running_measure(const struct runner *runner, struct measurement *measurement,
                           char *error)
{
    const struct bench_settings *settings = runner->settings;
    struct load_config config = load_config_of(runner, &measurement->scenario);
    const char *audience = settings->audience != NULL ? settings->audience : settings->access;

    config.server = settings->server;
    measurement->has_usage = settings->server.count > 0;
    return session_measure(runner, &config, settings->access, audience, settings->secret,
                           measurement, error);
}

/* One second at the scenario's rate. */
static int rate_try(const struct runner *runner, const struct load_config *base,
                    const struct spawned *spawned, struct measurement *measurement, char *error)
{
    struct load_config config = *base;

    config.scenario = measurement->scenario;
    config.window_ns = SHARE_STEP_MS * UINT64_C(1000000);
    int failed = session_measure(runner, &config, spawned->access_url, spawned->access_url,
                                 spawned->secret, measurement, error);

    if (failed == 0) {
        fprintf(stderr, "relay-bench: %u messages a second and topic: %.0f %% busy, %s\n",
                measurement->scenario.rate, measurement_busy_percent(measurement),
                measurement_verdict_text(measurement_verdict(measurement)));
    }
    return failed;
}

/* Tries rates until the workers are as busy as the settings want them; the measurement's scenario
 * has it then. Where none comes near, it is the last that was kept, if one was. */
static int rate_find(const struct runner *runner, const struct load_config *config,
                     const struct spawned *spawned, struct measurement *measurement, char *error)
{
    double wanted = (double)runner->settings->scale;
    struct scenario *scenario = &measurement->scenario;
    unsigned kept = 0;

    scenario->rate = share_rate_first(scenario);
    for (unsigned step = 0; step < SHARE_STEPS_MAX; step++) {
        int failed = rate_try(runner, config, spawned, measurement, error);
        double percent = measurement_busy_percent(measurement);
        bool is_late = measurement_verdict(measurement) != VERDICT_VALID;

        if (failed != 0) {
            return failed;
        }
        kept = is_late ? kept : scenario->rate;
        if (!is_late && share_is_near(percent, wanted)) {
            return 0;
        }
        scenario->rate = share_rate_next(scenario->rate, percent, wanted, is_late);
    }
    scenario->rate = kept > 0 ? kept : scenario->rate;
    return 0;
}

static int spawned_measure(const struct runner *runner, struct measurement *measurement,
                           char *error)
{
    const struct bench_settings *settings = runner->settings;
    struct load_config config = load_config_of(runner, &measurement->scenario);
    struct spawn_config spawn = {
        .path = settings->spawn,
        .log_path = settings->server_log,
        .cpu = (int)settings->server_cpu,
        .workers = (int)settings->workers,
        .tls_cert = measurement->target == TARGET_SERVER_TLS ? settings->tls_cert : NULL,
        .tls_key = measurement->target == TARGET_SERVER_TLS ? settings->tls_key : NULL,
    };
    struct spawned spawned;
    char end_error[SPAWN_ERROR_SIZE];
    int failed = spawn_start(&spawn, &spawned, error);

    if (failed != 0) {
        return failed;
    }
    config.server = (struct process_set){.pids = {spawned.pid}, .count = 1};
    measurement->has_usage = true;
    measurement->ready_ns = spawned.ready_ns;
    if (settings->scale > 0) {
        failed = rate_find(runner, &config, &spawned, measurement, error);
        config.scenario = measurement->scenario;
    }
    if (failed == 0) {
        failed = session_measure(runner, &config, spawned.access_url, spawned.access_url,
                                 spawned.secret, measurement, error);
    }
    int end_failed = spawn_end(&spawned, end_error);

    if (failed == 0 && end_failed != 0) {
        memcpy(error, end_error, SPAWN_ERROR_SIZE);
        failed = end_failed;
    }
    return failed;
}

static void progress(const struct measurement *measurement, unsigned rounds)
{
    char shape[SCENARIO_TEXT_SIZE];

    scenario_text(&measurement->scenario, shape);
    fprintf(stderr, "relay-bench: %s %s, %s, run %u of %u\n", measurement->scenario.name, shape,
            measurement_target_text(measurement->target), measurement->round + 1, rounds);
}

static int measure_one(struct runner *runner, const struct scenario *scenario, unsigned round,
                       enum target target, char *error)
{
    struct measurement *measurement = &runner->measurements->items[runner->measurements->count];
    int failed;

    *measurement = (struct measurement){
        .scenario = *scenario,
        .target = target,
        .round = round,
        .threads = target == TARGET_FLOOR ? 1 : (unsigned)runner->settings->threads,
        .workers = runner->settings->spawn != NULL ? (unsigned)runner->settings->workers : 0,
    };
    progress(measurement, runner->settings->rounds);
    if (target == TARGET_FLOOR) {
        failed = floor_measure(runner, measurement, error);
    } else if (runner->settings->spawn != NULL) {
        failed = spawned_measure(runner, measurement, error);
    } else {
        failed = running_measure(runner, measurement, error);
    }
    if (failed == 0) {
        runner->measurements->count++;
    }
    return failed;
}

/* The order alternates, so that a machine that slowly warms up favours neither. */
static int measure_round(struct runner *runner, const struct scenario *scenario, unsigned round,
                         char *error)
{
    bool wanted[TARGET_COUNT] = {
        [TARGET_FLOOR] = runner->settings->floor,
        [TARGET_SERVER] = runner->settings->has_server,
        [TARGET_SERVER_TLS] = runner->settings->has_server_tls,
    };

    enum target list[TARGET_COUNT];
    unsigned count = 0;

    for (enum target target = 0; target < TARGET_COUNT; target++) {
        if (wanted[target]) {
            list[count++] = target;
        }
    }
    for (unsigned i = 0; i < count; i++) {
        int failed = measure_one(runner, scenario, round, list[(i + round) % count], error);

        if (failed != 0) {
            return failed;
        }
    }
    return 0;
}

static int measure_rounds(struct runner *runner, char *error)
{
    const struct bench_settings *settings = runner->settings;

    for (unsigned i = 0; i < settings->list.count; i++) {
        for (unsigned round = 0; round < settings->rounds; round++) {
            int failed = measure_round(runner, &settings->list.items[i], round, error);

            if (failed != 0) {
                return failed;
            }
        }
    }
    return 0;
}

int measurement_run_all(const struct bench_settings *settings,
                        struct measurements *ret_measurements, char error[static SPAWN_ERROR_SIZE])
{
    struct runner runner = {.settings = settings, .measurements = ret_measurements};
    size_t count_max = (size_t)settings->list.count * settings->rounds * TARGET_COUNT;

    *ret_measurements =
        (struct measurements){.items = calloc(count_max, sizeof *ret_measurements->items)};
    if (ret_measurements->items == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "no memory");
        return -ENOMEM;
    }
    int failed = generator_prepare(settings, &runner.tls, error);

    if (failed != 0) {
        return failed;
    }
    failed = measure_rounds(&runner, error);
    SSL_CTX_free(runner.tls);
    return failed;
}

void measurement_release_all(struct measurements *measurements)
{
    free(measurements->items);
    *measurements = (struct measurements){.count = 0};
}
