#include "perf/connect/connect.h"

#include <errno.h>
#include <pthread.h>
#include <stdatomic.h>
#include <string.h>

#include "base/check.h"
#include "base/clock.h"

struct rush {
    const struct connect_config *config;
    struct connect_result *result;
    struct load_session session;
    struct connector connector; /* of the session */
    _Atomic unsigned next;
    pthread_mutex_t lock; /* of the result */
};

const char *connect_kind_text(enum connect_kind kind)
{
    switch (kind) {
    case CONNECT_HANDSHAKE:
        return "handshake";
    case CONNECT_JOIN:
        return "join";
    case CONNECT_KINDS:
        break;
    }
    UNREACHABLE();
}

/* Without a request a reset would end the connection before the server has sent its session
 * tickets, which are part of the handshake's cost. */
static int shake_hands(struct rush *rush, char *error)
{
    struct load_transport transport;
    int failed = load_session_handshake(&rush->session, &transport, error);

    return failed == 0 ? load_transport_finish(&transport, error) : failed;
}

static int join(struct rush *rush, unsigned topic, char *error)
{
    struct connection connection = {.early_len = 0};
    int failed =
        rush->connector.open(rush->connector.ctx, topic, CONNECTOR_VIEWER, &connection, error);

    if (failed == 0) {
        load_transport_reset(&connection.transport);
    }
    return failed;
}

static void note(struct rush *rush, uint64_t took_ns, int failed, const char *error)
{
    struct connect_result *result = rush->result;

    pthread_mutex_lock(&rush->lock);
    if (failed == 0) {
        result->done++;
        histogram_record(&result->each_ns, took_ns);
    } else if (result->failed++ == 0) {
        memcpy(result->failure, error, sizeof result->failure);
    }
    pthread_mutex_unlock(&rush->lock);
}

static void *thread_main(void *ctx)
{
    struct rush *rush = ctx;
    unsigned index;

    while ((index = atomic_fetch_add(&rush->next, 1)) < rush->config->count) {
        char error[LOAD_TRANSPORT_ERROR_SIZE] = "";
        uint64_t began_ns = clock_monotonic_ns();
        int failed = rush->config->kind == CONNECT_HANDSHAKE
                         ? shake_hands(rush, error)
                         : join(rush, index % rush->config->at_once, error);

        note(rush, clock_monotonic_ns() - began_ns, failed, error);
    }
    return NULL;
}

/* -EAGAIN when not even one thread can be started: the others do its work. */
static int come_all(struct rush *rush)
{
    pthread_t threads[CONNECT_AT_ONCE_MAX];
    unsigned count = 0;

    while (count < rush->config->at_once &&
           pthread_create(&threads[count], NULL, thread_main, rush) == 0) {
        count++;
    }
    for (unsigned i = 0; i < count; i++) {
        pthread_join(threads[i], NULL);
    }
    return count > 0 ? 0 : -EAGAIN;
}

static int server_cpu_read(const struct connect_config *config, uint64_t *ret_ns, char *error)
{
    struct process_usage usage;
    int failed = process_usage_read(&config->server, &usage);

    if (failed != 0) {
        return load_transport_fail(error, failed, "the server's process has ended");
    }
    *ret_ns = usage.cpu_ns;
    return 0;
}

int connect_run(const struct connect_config *config, struct connect_result *ret_result,
                char error[static LOAD_TRANSPORT_ERROR_SIZE])
{
    struct rush rush = {.config = config, .result = ret_result, .session = config->session};
    uint64_t before_ns = 0, after_ns = 0;

    CHECK(config->at_once > 0 && config->at_once <= CONNECT_AT_ONCE_MAX);
    *ret_result = (struct connect_result){.done = 0};
    histogram_init(&ret_result->each_ns);
    rush.connector = load_session_connector(&rush.session);
    int failed = server_cpu_read(config, &before_ns, error);

    if (failed != 0) {
        return failed;
    }
    pthread_mutex_init(&rush.lock, NULL);
    uint64_t start_ns = clock_monotonic_ns();

    failed = come_all(&rush);
    ret_result->wall_ns = clock_monotonic_ns() - start_ns;
    pthread_mutex_destroy(&rush.lock);
    if (failed != 0) {
        return load_transport_fail(error, failed, "cannot start a thread");
    }
    failed = server_cpu_read(config, &after_ns, error);
    if (failed == 0) {
        ret_result->server_cpu_ns = after_ns - before_ns;
    }
    return failed;
}
