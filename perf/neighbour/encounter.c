#include "perf/neighbour/encounter.h"

#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>

#include "perf/load/load_session.h"
#include "perf/neighbour/attacker.h"

enum {
    TOKEN_LIFE_S = 3600,
    SETTLE_MS = 200,
    SETTLE_WAITS_MAX = 25,
    TOPIC_CAMERA = 0,
    TOPIC_VISITOR = 1,
    TOPIC_ATTACK = 1000,
};

struct arena {
    const struct bench_settings *settings;
    struct encounter *encounter;
    struct spawned spawned;
    struct load_session session;
};

double encounter_half_lost_percent(const struct encounter_half *half)
{
    const struct load_result *result = &half->camera.result;
    uint64_t untaken = result->held * half->camera.scenario.viewers;
    uint64_t due = result->whole_run.expected + untaken;

    return due > 0 ? 100.0 * (double)(result->whole_run.lost + untaken) / (double)due : 0;
}

double encounter_half_latency_ms(const struct encounter_half *half, unsigned ppm)
{
    return (double)histogram_percentile(&half->camera.result.latency_ns, ppm) / 1e6;
}

static struct load_session session_of(const struct arena *arena, const char *booking_id,
                                      unsigned topic_first)
{
    struct load_session session = arena->session;

    session.booking_id = booking_id;
    session.topic_first = topic_first;
    return session;
}

struct starters {
    const struct child *visitor;
    const struct child *attacker; /* NULL: the camera is alone */
};

static void on_window(void *ctx)
{
    const struct starters *starters = ctx;

    child_go(starters->visitor);
    if (starters->attacker != NULL) {
        child_go(starters->attacker);
    }
}

static int camera_run(struct arena *arena, struct starters *starters, struct measurement *camera)
{
    const struct bench_settings *settings = arena->settings;
    struct load_session session = session_of(arena, "camera", TOPIC_CAMERA);
    struct load_config config = {
        .scenario = {.name = "camera",
                     .topics = 1,
                     .viewers = CAMERA_VIEWERS,
                     .bytes = CAMERA_BYTES,
                     .rate = CAMERA_RATE},
        .connector = load_session_connector(&session),
        .server = {.pids = {arena->spawned.pid}, .count = 1},
        .warmup_ns = (uint64_t)settings->warmup_ms * 1000000u,
        .window_ns = (uint64_t)settings->seconds * 1000000000u,
        .on_window = on_window,
        .on_window_ctx = starters,
    };

    *camera = (struct measurement){
        .scenario = config.scenario,
        .target = arena->encounter->target,
        .round = arena->encounter->round,
        .has_usage = true,
    };
    return load_run(&config, &camera->result, arena->encounter->error);
}

static int half_run(struct arena *arena, const struct child *attacker, struct encounter_half *half)
{
    struct load_session session = session_of(arena, "visitor", TOPIC_VISITOR);
    struct visitor visitor;
    struct starters starters = {.visitor = &visitor.child, .attacker = attacker};
    int failed = visitor_start(&visitor, &session, (int)arena->settings->client_cpu);

    if (failed != 0) {
        snprintf(arena->encounter->error, SPAWN_ERROR_SIZE, "cannot start a visitor: %s",
                 strerror(-failed));
        return failed;
    }
    failed = camera_run(arena, &starters, &half->camera);
    visitor_end(&visitor, half->visits);
    return failed;
}

static int usage_read(struct arena *arena, struct process_usage *ret_usage)
{
    struct process_set server = {.pids = {arena->spawned.pid}, .count = 1};
    int failed = process_usage_read(&server, ret_usage);

    if (failed != 0) {
        snprintf(arena->encounter->error, SPAWN_ERROR_SIZE, "the server's process has ended");
    }
    return failed;
}

static void attacker_tell(const struct attack_counts *counts, struct encounter *encounter)
{
    encounter->attacker.opened = counts->opened;
    encounter->attacker.refused = counts->refused;
    encounter->attacker.cut = counts->cut;
    encounter->attacker.open_peak = counts->open_peak;
    encounter->attacker.sent_bytes = counts->sent_bytes;
}

/* Until it sends no more than before, or for as long as an attack without end may take. */
static void attacker_settle(const struct attacker *attacker)
{
    uint64_t sent_bytes;
    unsigned waits = 0;

    child_go(&attacker->child);
    do {
        sent_bytes = attacker->counts->sent_bytes;
        poll(NULL, 0, SETTLE_MS);
    } while (attacker->counts->sent_bytes != sent_bytes && ++waits < SETTLE_WAITS_MAX);
}

static int attack_run(struct arena *arena, struct attacker *attacker)
{
    struct encounter *encounter = arena->encounter;
    struct process_usage usage;
    bool comes_first = encounter->attack->comes_first;

    if (comes_first) {
        attacker_settle(attacker);
    }
    int failed = half_run(arena, comes_first ? NULL : &attacker->child, &encounter->beside);

    attacker_end(attacker);
    attacker_tell(attacker->counts, encounter);
    if (failed == 0) {
        failed = usage_read(arena, &usage);
    }
    if (failed != 0) {
        return failed;
    }
    encounter->rss_peak_bytes = usage.rss_peak_bytes;
    poll(NULL, 0, (int)arena->settings->recover_seconds * 1000);
    failed = usage_read(arena, &usage);
    if (failed == 0) {
        encounter->rss_after_bytes = usage.rss_bytes;
    }
    return failed;
}

static int alone_run(struct arena *arena)
{
    struct encounter *encounter = arena->encounter;
    int failed = half_run(arena, NULL, &encounter->alone);

    encounter->rss_before_bytes = encounter->alone.camera.result.server.window_end.rss_bytes;
    return failed;
}

static int beside_run(struct arena *arena)
{
    const struct bench_settings *settings = arena->settings;
    struct attacker_config config = {
        .attack = attack_scaled(arena->encounter->attack, (unsigned)settings->neighbour_percent),
        .session = session_of(arena, "neighbour", TOPIC_ATTACK),
        .port = arena->spawned.port_access,
        .cpu = (int)settings->neighbour_cpu,
    };
    struct attacker attacker;
    int failed = attacker_start(&attacker, &config, arena->encounter->error);

    if (failed == 0) {
        failed = attack_run(arena, &attacker);
    }
    attacker_release(&attacker);
    return failed;
}

static int session_run(struct arena *arena, SSL_CTX *tls, int (*run)(struct arena *arena))
{
    struct token_keys *keys = token_keys_create(arena->spawned.secret);

    if (keys == NULL) {
        snprintf(arena->encounter->error, SPAWN_ERROR_SIZE, "the secret cannot be used as a key");
        return -EINVAL;
    }
    arena->session = (struct load_session){
        .access_url = arena->spawned.access_url,
        .audience = arena->spawned.access_url,
        .keys = keys,
        .tls = arena->encounter->target == TARGET_SERVER_TLS ? tls : NULL,
        .insecure = arena->settings->insecure,
        .token_life_s = TOKEN_LIFE_S,
    };
    int failed = run(arena);

    token_keys_destroy(keys);
    return failed;
}

/* With a relay of its own, that no earlier half has warmed up. */
static int spawned_run(struct arena *arena, SSL_CTX *tls, int (*run)(struct arena *arena))
{
    const struct bench_settings *settings = arena->settings;
    struct encounter *encounter = arena->encounter;
    bool is_tls = encounter->target == TARGET_SERVER_TLS;
    struct spawn_config spawn = {
        .path = settings->spawn,
        .log_path = settings->server_log,
        .cpu = (int)settings->server_cpu,
        .workers = (int)settings->workers,
        .connections_max = (int)encounter->attack->places,
        .tls_cert = is_tls ? settings->tls_cert : NULL,
        .tls_key = is_tls ? settings->tls_key : NULL,
    };
    char end_error[SPAWN_ERROR_SIZE];
    int failed = spawn_start(&spawn, &arena->spawned, encounter->error);

    if (failed != 0) {
        return failed;
    }
    failed = session_run(arena, tls, run);
    int end_failed = spawn_end(&arena->spawned, end_error);

    if (failed == 0 && end_failed != 0) {
        memcpy(encounter->error, end_error, SPAWN_ERROR_SIZE);
        failed = end_failed;
    }
    return failed;
}

void encounter_run(const struct bench_settings *settings, const struct attack *attack,
                   enum target target, unsigned round, SSL_CTX *tls,
                   struct encounter *ret_encounter)
{
    struct arena arena = {.settings = settings, .encounter = ret_encounter};
    bool alone_first = round % 2 == 0;

    *ret_encounter = (struct encounter){.attack = attack, .target = target, .round = round};
    if (attack->needs_tls && target != TARGET_SERVER_TLS) {
        ret_encounter->is_left_out = true;
        snprintf(ret_encounter->error, SPAWN_ERROR_SIZE,
                 "needs a server with TLS: --tls, --tls-cert and --tls-key");
        return;
    }
    if (spawned_run(&arena, tls, alone_first ? alone_run : beside_run) == 0) {
        /* The reason is in the encounter. */
        (void)!spawned_run(&arena, tls, alone_first ? beside_run : alone_run);
    }
}
