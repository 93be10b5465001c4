#include "server/server.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/check.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/version.h"
#include "server/admin/draining.h"
#include "server/admin_listener.h"
#include "server/bookings/booking_errands.h"
#include "server/bookings/booking_store.h"
#include "server/config_reload.h"
#include "server/config_table.h"
#include "server/conn/conn.h"
#include "server/conn/engine.h"
#include "server/conn/listener.h"
#include "server/conn/tls/phase_tls.h"
#include "server/handover/live/live_part.h"
#include "server/http/phase_http.h"
#include "server/hub/fanout.h"
#include "server/key_reload.h"
#include "server/listen.h"
#include "server/loop/worker.h"
#include "server/placement/placement.h"
#include "server/public_url.h"
#include "server/report/stats_topic.h"
#include "server/succession/predecessor.h"
#include "server/succession/successor.h"
#include "server/supervisor.h"
#include "server/tls_reload.h"
#include "server/websocket/phase_websocket.h"
#include "server/websocket/publish/publish_rate.h"

enum { ERROR_SIZE = 512, PATH_SIZE = 4096, DESCRIPTORS_SPARE = 64, WORKER_MEMORY_MIN = 32 };

struct server {
    const struct server_config *config;
    struct notifier notifier;
    struct activation activation;
    struct config_reload options;
    struct key_reload keys;
    struct publish_rate publish_rate;
    struct topic_policies topic_policies;
    struct topic_registry topics;
    struct conn_shared shared;
    struct tls_reload tls;
    struct listen_ports ports;
    struct admin_listener admin;
    struct conn_table *tables; /* one for each worker */
    struct worker_group group;
    struct ring post;               /* of the main thread, to post calls to the workers */
    struct successor successor;     /* of a program that was started to take over */
    struct predecessor predecessor; /* for a program that takes over */
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

/* Those of a port that this worker accepts on. Returns how many sockets there are then. */
static unsigned add_sockets(struct listener_socket sockets[static LISTENERS_MAX], unsigned count,
                            const struct listen_port *port, const struct worker *worker,
                            enum listener_role role)
{
    for (unsigned i = worker->index; i < port->count; i += worker->group->workers_count) {
        sockets[count++] = (struct listener_socket){
            .fd = port->fds[i], .role = role, .is_shared = port->is_shared};
    }
    return count;
}

/* The admin listener is a Unix socket. */
static bool is_path(const struct server *server)
{
    return server->config->admin_listen[0] == '/';
}

static int on_start(struct worker *worker)
{
    struct server *server = worker->group->context;
    const struct listen_ports *ports = &server->ports;
    struct listener_socket sockets[LISTENERS_MAX];
    unsigned count = add_sockets(sockets, 0, &ports->access, worker,
                                 ports->is_one ? LISTENER_BOTH : LISTENER_ACCESS);

    count = add_sockets(sockets, count, &ports->relay, worker, LISTENER_RELAY);
    if (worker->index == 0 && server->admin.fd >= 0) {
        sockets[count++] = (struct listener_socket){
            .fd = server->admin.fd, .role = LISTENER_ADMIN, .is_shared = is_path(server)};
    }
    worker->context = &server->tables[worker->index];
    int failed = engine_init(table_of(worker), worker, &server->shared, sockets, count,
                             successor_is_one(&server->successor));

    if (failed == 0 && worker->index == 0) {
        stats_topic_start(table_of(worker));
    }
    return failed;
}

static void on_stop(struct worker *worker)
{
    if (worker->context != NULL) {
        engine_deinit(table_of(worker));
    }
}

static void on_parcel(struct worker *worker, void *parcel)
{
    fanout_receive(worker, parcel, &table_of(worker)->shared->bounds);
}

static void on_undelivered(struct worker *worker, void *parcel)
{
    parcel_give_up(worker, parcel);
}

static void on_work(struct worker *worker)
{
    engine_on_work(table_of(worker));
}

/* First what others wait for: they can work on it while this worker sends. */
static void on_turn_end(struct worker *worker)
{
    fanout_flush(worker);
    engine_on_turn_end(table_of(worker));
    placement_on_turn_end(table_of(worker)->shared->placement, worker);
}

static bool is_drained(struct worker *worker)
{
    return engine_is_drained(table_of(worker));
}

static const struct worker_ops ops = {
    .on_start = on_start,
    .on_stop = on_stop,
    .on_parcel = on_parcel,
    .on_undelivered = on_undelivered,
    .on_work = on_work,
    .on_turn_end = on_turn_end,
    .is_drained = is_drained,
};

static void run_stop(struct worker *worker, struct call *call)
{
    if (!worker->stopping) {
        worker->stopping = true;
        if (worker->index == 0) {
            stats_topic_stop(table_of(worker));
        }
        draining_stop(table_of(worker));
        engine_stop(table_of(worker));
    }
}

static void run_drain(struct worker *worker, struct call *call)
{
    struct conn_table *table = table_of(worker);

    draining_start(table, (uint64_t)table->shared->config->drain_time_ms);
}

static void run_drain_stayed(struct worker *worker, struct call *call)
{
    struct conn_table *table = table_of(worker);

    draining_start_after_handover(table, (uint64_t)table->shared->config->handover_drain_ms);
}

/* The workers serve what they were given from now on. */
static void run_begin(struct worker *worker, struct call *call)
{
    live_part_start(table_of(worker));
    listener_resume_all(table_of(worker));
}

/* calls: of this step alone, whose workers may still have to take them when this returns. */
static void post_to_all(struct server *server, struct call calls[static WORKERS_MAX],
                        void (*run)(struct worker *worker, struct call *call))
{
    struct call *each[WORKERS_MAX];

    for (unsigned i = 0; i < WORKERS_MAX; i++) {
        each[i] = &calls[i];
    }
    /* Without memory the kernel may refuse for a moment; the alarm bounds the tries. */
    worker_group_call(&server->group, &server->post, each, run);
}

/* Until no worker has a viewer any more, or a second signal comes. */
static void drain(struct server *server, struct supervisor *supervisor)
{
    static struct call calls[WORKERS_MAX];
    const struct server_config *config = server->options.config;
    bool is_over = supervisor->is_over;
    int64_t drain_ms = is_over ? config->handover_drain_ms : config->drain_time_ms;

    atomic_store(&server->shared.access.is_draining, true);
    if (drain_ms > 0) {
        atomic_store(&server->shared.drains, server->group.workers_count);
        post_to_all(server, calls, is_over ? run_drain_stayed : run_drain);
        supervisor_wait_drained(supervisor, (uint64_t)drain_ms);
    }
}

static void stop_workers(struct server *server)
{
    static struct call calls[WORKERS_MAX];

    post_to_all(server, calls, run_stop);
}

/* As many as there are descriptors for: the last ones are for files. */
static uint32_t connections_max(const struct server_config *config)
{
    struct rlimit limit = {.rlim_cur = RLIM_INFINITY};
    rlim_t wanted = (rlim_t)config->connections_max;

    getrlimit(RLIMIT_NOFILE, &limit);
    if (limit.rlim_cur == RLIM_INFINITY || limit.rlim_cur >= wanted + DESCRIPTORS_SPARE) {
        return (uint32_t)wanted;
    }
    return limit.rlim_cur > 2 * DESCRIPTORS_SPARE ? (uint32_t)(limit.rlim_cur - DESCRIPTORS_SPARE)
                                                  : DESCRIPTORS_SPARE;
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
    int failed = log_open(config->log_file, (enum log_level)config->log_level,
                          (enum log_format)config->log_format);

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

static void warn_of_settings(const struct server_config *config)
{
    warn_of_descriptor_limit(config);
    warn_of_audience(config);
    if (config->buffer_size_replaced) {
        log_warn("RELAY_BUFFER_SIZE is out of range and was replaced",
                 LOG_INT("asked", config->buffer_size_asked), LOG_INT("used", config->buffer_size));
    }
}

/* A socket unit with one port forgotten: no port below 1024 can be opened here. */
static void warn_of_sockets(const struct listen_ports *ports)
{
    if (!ports->is_one && ports->access.is_passed != ports->relay.is_passed) {
        log_warn("systemd passed a socket for one port only, the other was opened here; cure: a "
                 "ListenStream= for it in the socket unit",
                 LOG_INT("opened_here",
                         ports->access.is_passed ? ports->relay.number : ports->access.number));
    }
}

/* Each of the following says in one line why it failed, and leaves nothing behind then. */

static int fail(const char *text)
{
    fprintf(stderr, "relay serve: %s\n", text);
    return -1;
}

static void close_topics(struct server *server)
{
    placement_destroy(server->shared.placement);
    if (server->shared.stats_topic != NULL) {
        topic_unref(server->shared.stats_topic);
    }
    topic_registry_deinit(&server->topics);
    topic_counts_destroy(server->topics.counts);
}

/* With one worker there is nothing to choose. */
static bool is_placed(const struct server_config *config)
{
    return config->placement == PLACEMENT_TOPIC && config->workers > 1;
}

static int open_topics(struct server *server)
{
    topic_registry_init(&server->topics, (unsigned)server->config->workers);
    server->topics.policies = &server->topic_policies;
    server->topics.lease_idle_ms = (uint64_t)server->config->exclusive_idle_ms;
    /* One more for our own. */
    server->topics.counts = topic_counts_create((unsigned)server->config->metrics_topics + 1,
                                                (unsigned)server->config->workers);
    server->topics.cache_bounds =
        (struct stream_cache_bounds){.bytes_max = (uint64_t)server->config->gop_cache_bytes,
                                     .time_ms_max = (uint64_t)server->config->gop_cache_time_ms};
    server->shared.topics = &server->topics;
    server->shared.stats_topic = topic_find_or_create(&server->topics, STATS_TOPIC);
    if (is_placed(server->config)) {
        server->shared.placement = placement_create((unsigned)server->config->workers);
    }
    if (server->topics.counts == NULL || server->shared.stats_topic == NULL ||
        (is_placed(server->config) && server->shared.placement == NULL)) {
        close_topics(server);
        return fail("out of memory");
    }
    return 0;
}

static int open_bookings(struct server *server)
{
    const struct server_config *config = server->config;
    struct access_context *access = &server->shared.access;

    access->codes = code_store_create((uint32_t)config->codes_max, (uint64_t)config->code_ttl_ms);
    if (access->codes == NULL) {
        return fail("out of memory");
    }
    access->bookings = bookings_create((uint32_t)config->bookings_max, access->codes);
    if (access->bookings == NULL) {
        goto err_bookings;
    }
    access->places = places_create(server->shared.connections_max);
    if (access->places == NULL) {
        goto err_places;
    }
    return 0;

err_places:
    bookings_destroy(access->bookings);
err_bookings:
    code_store_destroy(access->codes);
    return fail("out of memory");
}

static void close_bookings(struct server *server)
{
    places_destroy(server->shared.access.places);
    bookings_destroy(server->shared.access.bookings);
    code_store_destroy(server->shared.access.codes);
}

/* Options that only a parser of the server can judge. */
static int check_options(struct server *server)
{
    if (publish_rate_parse(server->config->publish_rate, &server->publish_rate) != 0) {
        return fail("RELAY_PUBLISH_RATE must be bytes,messages,burst, as in 4M,200,10s");
    }
    if (topic_policy_parse(server->config->topic_policy, &server->topic_policies) != 0) {
        return fail("RELAY_TOPIC_POLICY must be pattern=policy, separated by commas, with auto, "
                    "video, latest or data as the policy, alone or with +exclusive");
    }
    server->shared.publish_rate = &server->publish_rate;
    return 0;
}

static int open_keys(struct server *server)
{
    char error[ERROR_SIZE];

    return key_reload_init(&server->keys, server->config, error) == 0 ? 0 : fail(error);
}

static int check_kernel(void)
{
    char error[ERROR_SIZE];

    return ring_probe(error, sizeof error) == 0 ? 0 : fail(error);
}

static int open_tls(struct server *server)
{
    char error[ERROR_SIZE];

    return tls_reload_init(&server->tls, server->config, &server->shared, error) == 0 ? 0
                                                                                      : fail(error);
}

/* Two relays on one machine, or another program there, are no reason not to start; an address that
 * the operator chose is. */
static int open_admin(struct server *server)
{
    char error[ERROR_SIZE];
    const char *where = server->config->admin_listen;
    int failed = admin_listener_open(&server->admin, where, error, sizeof error);

    if (failed != 0 && config_table_is_default(server->config, "RELAY_ADMIN_LISTEN")) {
        log_warn("the admin listener is off: its default address is taken; set RELAY_ADMIN_LISTEN",
                 LOG_TEXT("address", where), LOG_TEXT("error", error));
        return 0;
    }
    return failed == 0 ? 0 : fail(error);
}

static int open_ports(struct server *server)
{
    char error[ERROR_SIZE];

    if (successor_is_one(&server->successor)) {
        return successor_take_sockets(&server->successor, server->config, &server->ports,
                                      &server->admin, error) == 0
                   ? 0
                   : fail(error);
    }
    if (listen_ports_open(&server->ports, server->config, &server->activation, error,
                          sizeof error) != 0) {
        return fail(error);
    }
    if (open_admin(server) != 0) {
        listen_ports_close(&server->ports);
        return -1;
    }
    return 0;
}

static void close_ports(struct server *server)
{
    admin_listener_close(&server->admin);
    listen_ports_close(&server->ports);
}

static void default_store_path(char path[static PATH_SIZE])
{
    const char *directory = getenv("STATE_DIRECTORY"); /* systemd: StateDirectory=relay */

    snprintf(path, PATH_SIZE, "%s/relay.db",
             text_is_empty(directory) ? "/var/lib/relay" : directory);
}

static int open_store(struct server *server)
{
    char path[PATH_SIZE], error[ERROR_SIZE];

    if (strcmp(server->config->store, "memory") == 0) {
        return 0;
    }
    if (server->config->store[0] == '\0') {
        default_store_path(path);
    } else {
        snprintf(path, sizeof path, "%s", server->config->store);
    }
    server->shared.store = booking_store_open(path, server->shared.access.bookings, error);
    return server->shared.store == NULL ? fail(error) : 0;
}

static int open_post(struct server *server)
{
    char error[ERROR_SIZE];
    int failed = ring_open(&server->post, 4, 8);

    if (failed != 0) {
        ring_error_text(failed, error, sizeof error);
        return fail(error);
    }
    return 0;
}

static size_t worker_memory(const struct server_config *config)
{
    int64_t mib = config->message_memory_mib / config->workers;

    return (size_t)(mib < WORKER_MEMORY_MIN ? WORKER_MEMORY_MIN : mib) * 1024 * 1024;
}

/* Without a stop in order. */
static void exit_if(bool has_failed, const char *error)
{
    if (has_failed) {
        fail(error);
        _exit(1);
    }
}

static int start_workers(struct server *server)
{
    unsigned workers = (unsigned)server->config->workers;
    char error[ERROR_SIZE];

    server->tables = calloc(workers, sizeof *server->tables);
    if (server->tables == NULL) {
        return fail("out of memory");
    }
    int failed = worker_group_start(&server->group, workers);

    exit_if(failed == WORKER_GROUP_STUCK,
            "cannot start a thread for each worker: raise the limit of processes (TasksMax) or "
            "lower RELAY_WORKERS");
    if (failed != 0) {
        free(server->tables);
        ring_error_text(failed, error, sizeof error);
        return fail(error);
    }
    listen_ports_forget(&server->ports); /* each worker closes its own */
    server->predecessor.admin_fd = server->admin.fd;
    server->admin.fd = -1;
    return 0;
}

/* Up to the answer to GO the other program serves, and goes on if this one ends: at once, as a stop
 * in order would shut down sockets that both have. */
static void take_over(struct server *server)
{
    static struct call calls[WORKERS_MAX];
    char error[ERROR_SIZE];
    int failed =
        successor_take_state(&server->successor, &server->shared, &server->group.clock, error);

    exit_if(failed != 0, error);
    if (open_store(server) != 0) {
        _exit(1);
    }
    failed = successor_take_connections(&server->successor, &server->group, &server->post, error);
    exit_if(failed != 0, error);
    exit_if(successor_await_go(&server->successor, error) != 0, error);
    if (server->shared.store != NULL) {
        booking_store_write_all(server->shared.store);
    }
    if (is_path(server) && server->predecessor.admin_fd >= 0) {
        server->admin.path = server->config->admin_listen; /* this program's to remove, now */
    }
    server->shared.errands = booking_errands_open(server->successor.channel.fd);
    if (server->shared.errands == NULL) {
        successor_deinit(&server->successor); /* and it ends what it has, as nothing denies it */
    }
    post_to_all(server, calls, run_begin);
}

static void end_workers(struct server *server)
{
    worker_group_destroy(&server->group);
    booking_errands_close(server->shared.errands);
    free(server->tables);
}

/* The parts are joined before they exist: each finds the others where they will be. */
static void join_parts(struct server *server)
{
    const struct server_config *config = server->config;

    server->shared = (struct conn_shared){
        .phases = phases,
        .connections_max = connections_max(config),
        .on_command = stats_topic_on_command,
        .config = config,
        .options = &serve_option_table,
        .access = {.keys = &server->keys.slot,
                   .audience = config->audience,
                   .url = config->url,
                   .allow_no_booking_id = config->allow_no_booking_id,
                   .watch_page = config->watch_page,
                   .cors_origins = config->cors_origins,
                   .subprotocols = (enum access_subprotocols)config->subprotocols},
        .bounds = {.messages_max = (uint32_t)config->buffer_size,
                   .bytes_max = (uint64_t)config->queue_bytes,
                   .age_ms_max = (uint64_t)config->queue_age_ms,
                   .video_age_ms_max = (uint64_t)config->max_age_ms},
        .started_s = clock_wall_s(),
    };
    server->group = (struct worker_group){
        .ops = &ops, .context = server, .message_bytes_max = worker_memory(config)};
}

static void join_predecessor(struct server *server, struct supervisor *supervisor)
{
    server->predecessor.options = &server->options;
    server->predecessor.shared = &server->shared;
    server->shared.predecessor = &server->predecessor;
    server->predecessor.ports = &server->ports;
    server->predecessor.admin = &server->admin;
    server->predecessor.notifier = &server->notifier;
    server->predecessor.supervisor = supervisor;
}

/* From the first signal that is taken to the last connection that is closed. */
static void serve(struct server *server)
{
    struct supervisor supervisor = {.options = &server->options,
                                    .shared = &server->shared,
                                    .group = &server->group,
                                    .keys = &server->keys,
                                    .tls = &server->tls,
                                    .notifier = &server->notifier,
                                    .succession = predecessor_as_seen(&server->predecessor)};

    watchdog_init(&supervisor.watchdog, &server->notifier, &server->group, clock_monotonic_ms());
    join_predecessor(server, &supervisor);
    warn_of_settings(server->config);
    warn_of_sockets(&server->ports);
    if (successor_is_one(&server->successor)) {
        take_over(server);
    }
    atomic_store(&server->shared.is_ready, true);
    /* Level warn on purpose: the one line that every operator and every script waits for. */
    log_warn("listening", LOG_INT("access_port", server->ports.access.number),
             LOG_INT("relay_port", server->ports.relay.number),
             LOG_TEXT("admin", server->admin.text), LOG_INT("workers", server->config->workers),
             LOG_TEXT("version", RELAY_VERSION),
             LOG_TEXT("kernel_tls", server->shared.tls == NULL ? "not used: plain TCP"
                                                               : server->shared.ktls.text));
    supervisor_tell_ready(&supervisor);
    supervisor_wait(&supervisor);
    drain(server, &supervisor);
    /* No answer is awaited of another program any more, nor owed to one. */
    booking_errands_end(server->shared.errands);
    handover_channel_close(&server->predecessor.channel);
    supervisor_limit_stop(&server->group.clock, STOP_ALARM_S * 1000);
    stop_workers(server);
    worker_group_join(&server->group);
    supervisor_log_counters(&supervisor, "stopped");
}

/* One ladder: what was opened is closed in reverse, after a clean stop from the top, after a
 * failure from where it happened. */
static int run(struct server *server)
{
    int status = 1;

    join_parts(server);
    if (open_topics(server) != 0) {
        goto end;
    }
    if (open_bookings(server) != 0) {
        goto end_topics;
    }
    if (check_options(server) != 0 || open_keys(server) != 0) {
        goto end_bookings;
    }
    if (check_kernel() != 0 || open_tls(server) != 0) {
        goto end_keys;
    }
    if (open_ports(server) != 0) {
        goto end_tls;
    }
    if (!successor_is_one(&server->successor) && open_store(server) != 0) {
        goto end_ports;
    }
    if (open_post(server) != 0) {
        goto end_store;
    }
    if (start_workers(server) != 0) {
        goto end_post;
    }
    serve(server);
    status = 0;
    end_workers(server);
end_post:
    ring_close(&server->post);
end_store:
    booking_store_close(server->shared.store);
end_ports:
    close_ports(server);
end_tls:
    tls_reload_deinit(&server->tls);
end_keys:
    key_reload_deinit(&server->keys);
end_bookings:
    close_bookings(server);
end_topics:
    close_topics(server);
end:
    return status;
}

/* systemd hears of the end at the latest when the process ends. */
static void open_notifier(struct server *server)
{
    int failed = notifier_init(&server->notifier);

    if (failed != 0) {
        log_warn("NOTIFY_SOCKET cannot be used: systemd does not hear that the service is ready",
                 LOG_TEXT("error", strerror(-failed)));
    }
}

static int take_activation(struct server *server)
{
    return activation_take(&server->activation) == 0
               ? 0
               : fail("LISTEN_FDS of the environment names sockets that are not there, or more "
                      "than 16: start by systemd, or without it");
}

static int take_successor(struct server *server)
{
    return successor_init(&server->successor)
               ? 0
               : fail("RELAY_HANDOVER_SOCKET of the environment is no socket of a running relay, "
                      "which sets it for the program that it starts");
}

static void open_predecessor(struct server *server, const struct config_source *source)
{
    server->predecessor.group = &server->group;
    int failed = predecessor_init(&server->predecessor, source, &server->post);

    if (failed != 0) {
        log_warn("no descriptor is left: SIGUSR2 will hand over nothing",
                 LOG_TEXT("error", strerror(-failed)));
    }
}

int server_check(const struct server_config *config)
{
    struct server server = {.config = config};

    join_parts(&server);
    if (check_options(&server) != 0 || open_keys(&server) != 0) {
        return 1;
    }
    int failed = open_tls(&server);

    if (failed == 0) {
        tls_reload_deinit(&server.tls);
    }
    key_reload_deinit(&server.keys);
    return failed == 0 ? 0 : 1;
}

int server_run(const struct server_config *config, const struct config_source *source)
{
    struct server server = {.config = config};
    int status;

    /* Before anything is opened here that could have the number of a socket that is not there. */
    if (take_activation(&server) != 0 || take_successor(&server) != 0) {
        return 1;
    }
    supervisor_block_signals();
    open_log(config);
    open_notifier(&server);
    raise_descriptor_limit();
    block_pool_prepare();
    config_reload_init(&server.options, source, config, &server.shared);
    open_predecessor(&server, source);
    status = run(&server);
    if (status == 0 && predecessor_successor_failed(&server.predecessor)) {
        status = 1; /* systemd restarts the relay, if this still is its main process */
    }
    predecessor_deinit(&server.predecessor);
    successor_deinit(&server.successor);
    activation_close(&server.activation);
    config_reload_deinit(&server.options);
    notifier_deinit(&server.notifier);
    log_close();
    supervisor_end_stop();
    return status;
}
