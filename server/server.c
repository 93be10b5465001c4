#include "server/server.h"

#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "server/access/booking_store.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/key_reload.h"
#include "server/limits.h"
#include "server/listen.h"
#include "server/loop/worker.h"
#include "server/public_url.h"
#include "server/report/report.h"
#include "server/tls_reload.h"
#include "server/websocket/phase_websocket.h"

enum {
    ERROR_SIZE = 512,
    PATH_SIZE = 4096,
    COUNTERS_JSON_SIZE = 3500,
    DESCRIPTORS_SPARE = 64,
    WORKER_MEMORY_MIN = 32,
    FILES_LOOK_MS = 5000
};

struct server {
    const struct server_config *config;
    struct key_reload keys;
    struct topic_registry topics;
    struct conn_shared shared;
    struct tls_reload tls;
    struct booking_store *store;
    uint64_t look_due_ms; /* at files and bookings */
    uint64_t tidy_due_ms;
    struct conn_table *tables; /* one for each worker */
    struct worker_group group;
    struct ring post; /* of the main thread, to post calls to the workers */
    uint16_t port_access, port_relay;
    int *fds_access, *fds_relay; /* one for each worker */
};

/* The map of the server: what each phase does stands in its own file. */
static const struct phase_ops *const phases[PHASE_COUNT] = {
    [PHASE_TLS] = &phase_tls_ops,
    [PHASE_HTTP] = &phase_http_ops,
    [PHASE_WEBSOCKET] = &phase_websocket_ops,
    [PHASE_CLOSING] = &phase_closing_ops,
};

static struct conn_table *table_of(struct worker *worker)
{
    return worker->context;
}

static int on_start(struct worker *worker)
{
    struct server *server = worker->group->context;
    const int fds[] = {server->fds_access[worker->index], server->fds_relay[worker->index]};
    const bool one_port = server->fds_relay == server->fds_access;
    const enum listener_role roles[] = {one_port ? LISTENER_BOTH : LISTENER_ACCESS, LISTENER_RELAY};

    worker->context = &server->tables[worker->index];
    int failed = engine_init(table_of(worker), worker, &server->shared, fds, roles,
                             one_port ? 1 : ARRAY_LENGTH(fds));

    if (failed == 0 && worker->index == 0) {
        report_start(table_of(worker));
    }
    return failed;
}

static void on_stop(struct worker *worker)
{
    if (worker->context != NULL) {
        engine_deinit(table_of(worker));
    }
}

static void on_letter(struct worker *worker, enum letter_kind kind, void *pointer)
{
    if (kind == LETTER_MESSAGE) {
        fanout_receive(worker, pointer, &table_of(worker)->shared->bounds);
    } else {
        message_come_home(worker, pointer);
    }
}

static void on_undelivered(struct worker *worker, enum letter_kind kind, void *pointer)
{
    switch (kind) {
    case LETTER_MESSAGE:
        counters_increment(&worker->counters, messages_dropped_mailbox);
        worker_alarm(worker, ALARM_MAILBOX);
        message_drop_hold(worker, pointer);
        return;
    case LETTER_MESSAGE_HOME:
        /* Its memory must come home; the receiver lives until it does. */
        worker_post_home(worker, ((struct message *)pointer)->home, pointer);
        return;
    case LETTER_CALL:
        UNREACHABLE(); /* the loop sees to those itself */
    }
}

static void on_turn_end(struct worker *worker)
{
    engine_on_turn_end(table_of(worker));
}

static bool is_drained(struct worker *worker)
{
    return engine_is_drained(table_of(worker));
}

static const struct worker_ops ops = {
    .on_start = on_start,
    .on_stop = on_stop,
    .on_letter = on_letter,
    .on_undelivered = on_undelivered,
    .on_turn_end = on_turn_end,
    .is_drained = is_drained,
};

static void run_stop(struct worker *worker, struct call *call)
{
    if (!worker->stopping) {
        worker->stopping = true;
        if (worker->index == 0) {
            report_stop(table_of(worker));
        }
        engine_stop(table_of(worker));
    }
}

/* For on_alarm; written before the alarm is set. */
static struct {
    const struct run_clock *clock;
    uint64_t due_ms;   /* of the clock */
    uint64_t alarm_ms; /* of clock_monotonic_ms: when the alarm is to ring */
} stop;

/* clock_monotonic_ms of what a signal handler may call (signal-safety(7)). */
static uint64_t handler_clock_ms(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (uint64_t)now.tv_sec * 1000 + (uint64_t)now.tv_nsec / 1000000;
}

static void set_alarm(uint64_t wait_ms)
{
    unsigned wait_s = (unsigned)(wait_ms + 999) / 1000;

    stop.alarm_ms = handler_clock_ms() + wait_s * 1000;
    alarm(wait_s);
}

/* Nothing may hold up the end of the process: not a stuck disk, not a fault of ours. But a pause of
 * the machine is no part of the time that a stop may take. */
static void on_alarm(int signal_number)
{
    static const char text[] = "relay serve: a worker did not end in time; giving up\n";
    uint64_t monotonic_ms = handler_clock_ms();
    uint64_t now_ms = monotonic_ms - atomic_load(&stop.clock->paused_ms);

    if (now_ms < stop.due_ms) {
        set_alarm(stop.due_ms - now_ms);
        return;
    }
    if (monotonic_ms >= stop.alarm_ms + PAUSE_MS_MIN) {
        set_alarm(1000); /* it rang late: until then the workers know of the pause */
        return;
    }
    ssize_t ignored UNUSED = write(STDERR_FILENO, text, sizeof text - 1);

    _exit(1);
}

static void stop_workers(struct server *server)
{
    static struct call calls[WORKERS_MAX];

    for (unsigned i = 0; i < server->group.workers_count; i++) {
        struct worker *worker = &server->group.workers[i];

        calls[i].run = run_stop;
        /* Without memory the kernel may refuse for a moment; the alarm bounds the tries. */
        while (mailbox_post_from_outside(&server->post, atomic_load(&worker->ring_fd), &calls[i]) !=
               0) {
            nanosleep(&(struct timespec){.tv_nsec = 10 * 1000 * 1000}, NULL);
        }
    }
}

/* Reads the workers' counters while they run: a moment's approximation. */
static void log_counters(struct server *server, const char *event)
{
    struct counters sum = {0};
    char text[COUNTERS_JSON_SIZE];
    struct json_writer json;

    for (unsigned i = 0; i < server->group.workers_count; i++) {
        counters_accumulate(&sum, &server->group.workers[i].counters);
    }
    json_writer_init(&json, text, sizeof text);
    counters_write_json(&sum, &json);
    /* At warn, so that the default level shows what the operator asked for. */
    log_warn(event, LOG_JSON("counters", text),
             LOG_INT("connections_open", atomic_load(&server->shared.connections)),
             LOG_INT("topics", topic_registry_count(&server->topics) - 1), /* less our own */
             LOG_INT("codes_waiting", code_store_count(server->shared.access.codes)),
             LOG_INT("log_lines_lost", log_lines_lost()));
}

static void tidy_if_due(struct server *server, uint64_t now_ms)
{
    if (now_ms >= server->tidy_due_ms) {
        bookings_tidy(server->shared.access.bookings, clock_wall_s());
        server->tidy_due_ms = now_ms + (uint64_t)server->config->tidy_every_ms;
    }
}

/* Due by the clock, not by the silence between two signals: SIGUSR1 may come every second. Returns
 * how long to wait for the next time. */
static struct timespec look_if_due(struct server *server)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (now_ms >= server->look_due_ms) {
        tls_reload_if_changed(&server->tls);
        tidy_if_due(server, now_ms);
        server->look_due_ms = now_ms + FILES_LOOK_MS;
    }
    uint64_t left_ms = server->look_due_ms - now_ms;

    return (struct timespec){.tv_sec = (time_t)(left_ms / 1000),
                             .tv_nsec = (long)(left_ms % 1000) * 1000000};
}

static void on_hangup(struct server *server)
{
    int failed = log_reopen();

    if (failed != 0) {
        log_error(
            "cannot open the log file again, going on in the old one; correct the path or its "
            "rights and send SIGHUP",
            LOG_TEXT("file", server->config->log_file), LOG_TEXT("error", strerror(-failed)));
    }
    tls_reload_now(&server->tls);
    key_reload_now(&server->keys);
    if (failed == 0) {
        log_info("log file opened again", LOG_TEXT("signal", "SIGHUP"));
    }
}

/* Signals are blocked before any thread exists, so only this thread takes them. */
static void wait_for_stop(struct server *server, const sigset_t *signals)
{
    for (;;) {
        struct timespec wait = look_if_due(server);
        int signal_number = sigtimedwait(signals, NULL, &wait);

        switch (signal_number) {
        case -1: /* it is time to look */
            break;
        case SIGHUP:
            on_hangup(server);
            break;
        case SIGUSR1:
            log_counters(server, "counters");
            break;
        default:
            log_info("stopping",
                     LOG_TEXT("signal", signal_number == SIGINT ? "SIGINT" : "SIGTERM"));
            return;
        }
    }
}

static void block_signals(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    pthread_sigmask(SIG_BLOCK, signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a failed write like others */
}

static void raise_descriptor_limit(void)
{
    struct rlimit limit;

    if (getrlimit(RLIMIT_NOFILE, &limit) == 0) {
        limit.rlim_cur = limit.rlim_max;
        setrlimit(RLIMIT_NOFILE, &limit);
    }
}

static void warn_of_descriptor_limit(const struct server_config *config)
{
    struct rlimit limit = {.rlim_max = RLIM_INFINITY};
    rlim_t wanted = (rlim_t)config->connections_max + DESCRIPTORS_SPARE;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_max != RLIM_INFINITY && limit.rlim_max < wanted) {
        log_warn("the limit of open files is below RELAY_CONNECTIONS_MAX; raise LimitNOFILE",
                 LOG_INT("limit", limit.rlim_max),
                 LOG_INT("connections_max", config->connections_max));
    }
}

/* It may be meant: tokens must name exactly the same, so it is not taken away. */
static void warn_of_audience(const struct server_config *config)
{
    if (public_url_check(config->audience, PUBLIC_URL_HTTP) == PUBLIC_URL_SLASH) {
        log_warn("RELAY_AUDIENCE ends with a slash: only tokens with the slash are accepted",
                 LOG_TEXT("audience", config->audience));
    }
}

static void open_log(const struct server_config *config)
{
    enum log_level level = LOG_LEVEL_WARN;
    int failed = log_level_parse(config->log_level, &level);

    CHECK(failed == 0); /* config_complete checked it */
    failed = log_open(config->log_file, level,
                      strcmp(config->log_format, "text") == 0 ? LOG_FORMAT_TEXT : LOG_FORMAT_JSON);
    if (failed != 0) {
        log_warn("cannot open the log file, logging to stderr", LOG_TEXT("file", config->log_file),
                 LOG_TEXT("error", strerror(-failed)));
    }
    failed = log_thread_start();
    if (failed != 0) {
        log_warn("no thread for the log: a disk that hangs will hold up the service",
                 LOG_TEXT("error", strerror(-failed)));
    }
}

static int fail(const char *text)
{
    fprintf(stderr, "relay serve: %s\n", text);
    return -1;
}

static int open_listeners(struct server *server, char *error)
{
    const struct server_config *config = server->config;
    unsigned workers = (unsigned)config->workers;

    server->port_access = (uint16_t)config->port_access;
    server->port_relay = (uint16_t)config->port_relay;
    int failed = listen_open(config->bind_address, &server->port_access, server->fds_access,
                             workers, error, ERROR_SIZE);

    if (failed != 0) {
        return failed;
    }
    if (config->port_access != 0 && config->port_access == config->port_relay) {
        free(server->fds_relay);
        server->fds_relay = server->fds_access;
        return 0;
    }
    failed = listen_open(config->bind_address, &server->port_relay, server->fds_relay, workers,
                         error, ERROR_SIZE);
    for (unsigned i = 0; failed != 0 && i < workers; i++) {
        close(server->fds_access[i]);
    }
    return failed;
}

static void close_listeners(struct server *server)
{
    for (unsigned i = 0; i < (unsigned)server->config->workers; i++) {
        close(server->fds_access[i]);
        if (server->fds_relay != server->fds_access) {
            close(server->fds_relay[i]);
        }
    }
}

static void default_store_path(char path[static PATH_SIZE])
{
    const char *directory = getenv("STATE_DIRECTORY"); /* systemd: StateDirectory=relay */

    snprintf(path, PATH_SIZE, "%s/relay.db",
             directory == NULL || directory[0] == '\0' ? "/var/lib/relay" : directory);
}

static int open_store(struct server *server, char *error)
{
    char path[PATH_SIZE];

    if (strcmp(server->config->store, "memory") == 0) {
        return 0;
    }
    if (server->config->store[0] == '\0') {
        default_store_path(path);
    } else {
        snprintf(path, sizeof path, "%s", server->config->store);
    }
    server->store = booking_store_open(path, server->shared.access.bookings, error);
    server->shared.store = server->store;
    return server->store == NULL ? -EIO : 0;
}

static size_t worker_memory(const struct server_config *config)
{
    int64_t mib = config->message_memory_mib / config->workers;

    return (size_t)(mib < WORKER_MEMORY_MIN ? WORKER_MEMORY_MIN : mib) * 1024 * 1024;
}

static int make_parts(struct server *server)
{
    const struct server_config *config = server->config;
    unsigned workers = (unsigned)config->workers;

    server->tables = calloc(workers, sizeof *server->tables);
    server->fds_access = calloc(workers, sizeof(int));
    server->fds_relay = calloc(workers, sizeof(int));
    topic_registry_init(&server->topics, workers);
    server->shared = (struct conn_shared){
        .phases = phases,
        .on_command = report_on_command,
        .config = config,
        .access = {.keys = &server->keys.slot,
                   .audience = config->audience,
                   .url = config->url,
                   .allow_no_booking_id = config->allow_no_booking_id,
                   .cors_origins = config->cors_origins,
                   .subprotocols = config->subprotocols,
                   .codes = code_store_create((uint32_t)config->codes_max,
                                              (uint64_t)config->code_ttl_ms)},
        .topics = &server->topics,
        .bounds = {.messages_max = (uint32_t)config->buffer_size,
                   .bytes_max = (uint64_t)config->queue_bytes,
                   .age_ms_max = (uint64_t)config->queue_age_ms},
    };
    server->group = (struct worker_group){
        .ops = &ops, .context = server, .message_bytes_max = worker_memory(config)};
    server->shared.access.bookings =
        server->shared.access.codes == NULL
            ? NULL
            : bookings_create((uint32_t)config->bookings_max, server->shared.access.codes);
    server->shared.stats_topic = topic_find_or_create(&server->topics, STATS_TOPIC);
    server->shared.started_s = clock_wall_s();
    return server->shared.access.bookings == NULL || server->shared.stats_topic == NULL ||
                   server->tables == NULL || server->fds_access == NULL ||
                   server->fds_relay == NULL || server->shared.access.codes == NULL
               ? -ENOMEM
               : 0;
}

static void destroy_parts(struct server *server)
{
    tls_reload_deinit(&server->tls);
    bookings_destroy(server->shared.access.bookings);
    if (server->shared.stats_topic != NULL) {
        topic_unref(server->shared.stats_topic);
    }
    code_store_destroy(server->shared.access.codes);
    topic_registry_deinit(&server->topics);
    key_reload_deinit(&server->keys);
    free(server->tables);
    if (server->fds_relay != server->fds_access) {
        free(server->fds_relay);
    }
    free(server->fds_access);
}

static int start(struct server *server)
{
    char error[ERROR_SIZE];

    if (make_parts(server) != 0) {
        return fail("out of memory");
    }
    if (address_list_parse(server->config->trusted_proxies, &server->shared.trusted_proxies) != 0) {
        return fail("RELAY_TRUSTED_PROXIES must be addresses or networks, separated by commas");
    }
    if (key_reload_init(&server->keys, server->config, error) != 0 ||
        ring_probe(error, sizeof error) != 0 ||
        tls_reload_init(&server->tls, server->config, &server->shared, error) != 0 ||
        open_listeners(server, error) != 0) {
        return fail(error);
    }
    if (open_store(server, error) != 0) {
        close_listeners(server);
        return fail(error);
    }
    int failed = ring_open(&server->post, 4, 8);

    if (failed == 0) {
        failed = worker_group_start(&server->group, (unsigned)server->config->workers);
    }
    if (failed == WORKER_GROUP_STUCK) {
        fail("cannot start a thread for each worker: raise the limit of processes (TasksMax) or "
             "lower "
             "RELAY_WORKERS");
        _exit(1);
    }
    if (failed != 0) {
        ring_error_text(failed, error, sizeof error);
        ring_close(&server->post);
        booking_store_close(server->store);
        return fail(error);
    }
    return 0;
}

int server_run(const struct server_config *config)
{
    struct server server = {.config = config};
    sigset_t signals;

    block_signals(&signals);
    open_log(config);
    raise_descriptor_limit();
    if (start(&server) != 0) {
        destroy_parts(&server);
        log_close();
        return 1;
    }
    warn_of_descriptor_limit(config);
    warn_of_audience(config);
    if (config->buffer_size_replaced) {
        log_warn("RELAY_BUFFER_SIZE is out of range and was replaced",
                 LOG_INT("asked", config->buffer_size_asked), LOG_INT("used", config->buffer_size));
    }
    /* Level warn on purpose: the one line that every operator and every script waits for. */
    log_warn("listening", LOG_INT("access_port", server.port_access),
             LOG_INT("relay_port", server.port_relay), LOG_INT("workers", config->workers),
             LOG_TEXT("version", RELAY_VERSION),
             LOG_TEXT("kernel_tls",
                      server.shared.tls == NULL ? "not used: plain TCP" : server.shared.ktls.text));
    wait_for_stop(&server, &signals);
    stop.clock = &server.group.clock;
    stop.due_ms = run_clock_at(stop.clock, clock_monotonic_ms()) + STOP_ALARM_S * 1000;
    signal(SIGALRM, on_alarm);
    set_alarm(STOP_ALARM_S * 1000);
    stop_workers(&server);
    worker_group_join(&server.group);
    log_counters(&server, "stopped");
    worker_group_destroy(&server.group);
    booking_store_close(server.store);
    ring_close(&server.post);
    destroy_parts(&server);
    log_close();
    return 0;
}
