#include "perf/spawned_session.h"

#include <errno.h>
#include <openssl/ssl.h>
#include <stdio.h>
#include <string.h>

#include "perf/generator.h"

enum { TOKEN_LIFE_S = 24 * 3600 };

struct runs {
    const struct bench_settings *settings;
    const char *what;
    spawned_session_fn *run;
    void *ctx;
    SSL_CTX *tls; /* NULL: plain */
};

static int session_run(const struct runs *runs, const struct spawned *spawned,
                       struct spawned_session *session, char *error)
{
    struct token_keys *keys = token_keys_create(spawned->secret);

    if (keys == NULL) {
        snprintf(error, SPAWN_ERROR_SIZE, "the secret cannot be used as a key");
        return -EINVAL;
    }
    session->server = (struct process_set){.pids = {spawned->pid}, .count = 1};
    session->session = (struct load_session){
        .access_url = spawned->access_url,
        .audience = spawned->access_url,
        .keys = keys,
        .tls = session->target == TARGET_SERVER_TLS ? runs->tls : NULL,
        .insecure = runs->settings->insecure,
        .token_life_s = TOKEN_LIFE_S,
    };
    int failed = runs->run(runs->ctx, session, error);

    token_keys_destroy(keys);
    return failed;
}

static int spawned_run(const struct runs *runs, struct spawned_session *session, char *error)
{
    const struct bench_settings *settings = runs->settings;
    bool is_tls = session->target == TARGET_SERVER_TLS;
    struct spawn_config config = {
        .path = settings->spawn,
        .log_path = settings->server_log,
        .cpu = (int)settings->server_cpu,
        .workers = (int)settings->workers,
        .tls_cert = is_tls ? settings->tls_cert : NULL,
        .tls_key = is_tls ? settings->tls_key : NULL,
    };
    struct spawned spawned;
    char end_error[SPAWN_ERROR_SIZE];
    int failed = spawn_start(&config, &spawned, error);

    if (failed != 0) {
        return failed;
    }
    failed = session_run(runs, &spawned, session, error);
    int end_failed = spawn_end(&spawned, end_error);

    if (failed == 0 && end_failed != 0) {
        memcpy(error, end_error, SPAWN_ERROR_SIZE);
        failed = end_failed;
    }
    return failed;
}

static int target_run(const struct runs *runs, enum target target, unsigned round, char *error)
{
    struct spawned_session session = {.target = target, .round = round};

    fprintf(stderr, "relay-bench: %s, %s, run %u of %u\n", runs->what,
            measurement_target_text(target), round + 1, runs->settings->rounds);
    return spawned_run(runs, &session, error);
}

static int rounds_run(const struct runs *runs, char *error)
{
    int failed = 0;

    for (unsigned round = 0; round < runs->settings->rounds && failed == 0; round++) {
        if (runs->settings->has_server) {
            failed = target_run(runs, TARGET_SERVER, round, error);
        }
        if (runs->settings->has_server_tls && failed == 0) {
            failed = target_run(runs, TARGET_SERVER_TLS, round, error);
        }
    }
    return failed;
}

int spawned_session_run_all(const struct bench_settings *settings, const char *what,
                            spawned_session_fn *run, void *ctx, char error[static SPAWN_ERROR_SIZE])
{
    struct runs runs = {.settings = settings, .what = what, .run = run, .ctx = ctx};
    int failed = generator_prepare(settings, &runs.tls, error);

    if (failed == 0) {
        failed = rounds_run(&runs, error);
        SSL_CTX_free(runs.tls);
    }
    return failed;
}
