#include "host/host.h"

#include <errno.h>
#include <malloc.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "base/bytes.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/systemd/notifier.h"
#include "base/version.h"
#include "host/control/command.h"
#include "host/control/control.h"
#include "host/control/rule_keeper.h"
#include "host/destination/destinations.h"
#include "host/device/device_set.h"
#include "host/host_report.h"
#include "host/http/http_server.h"
#include "host/local/local_client.h"
#include "host/loop/loop.h"
#include "host/rules/streams.h"

struct host {
    const struct host_settings *settings;
    struct loop loop;
    struct loop_watch signals;
    struct streams streams;
    struct destinations destinations;
    struct control control;
    struct device_set devices;
    struct rule_keeper keeper;
    struct command command;
    struct local_client_list clients;
    struct http_server server;
    struct notifier notifier; /* what systemd hears */
    uint64_t started_ms;
};

/* Signals. */

static void on_signal(struct loop_watch *watch, uint32_t events)
{
    struct host *host = container_of(watch, struct host, signals);
    struct signalfd_siginfo info;

    if (read(watch->fd, &info, sizeof info) != (ssize_t)sizeof info) {
        return;
    }
    if (info.ssi_signo == SIGHUP) {
        notifier_reloading(&host->notifier);
        if (log_reopen() != 0) {
            log_warn("the log file cannot be reopened");
        }
        rule_keeper_reload(&host->keeper);
        notifier_ready(&host->notifier, "ready");
        return;
    }
    notifier_stopping(&host->notifier);
    loop_stop(&host->loop);
}

static int open_signals(struct host *host)
{
    sigset_t set;

    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a recording at its size limit is a failed write like others */
    sigemptyset(&set);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGHUP);
    sigprocmask(SIG_BLOCK, &set, NULL);
    host->signals = (struct loop_watch){.fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK),
                                        .events = EPOLLIN,
                                        .on_ready = on_signal};
    return host->signals.fd < 0 ? -errno : loop_watch_add(&host->loop, &host->signals);
}

/* Rules. */

static void on_changed(struct control *control)
{
    rule_keeper_save(&container_of(control, struct host, control)->keeper);
}

static void add_api_rule(struct host *host)
{
    struct rule rule;

    if (text_is_empty(host->settings->api) || !rule_init(&rule)) {
        return;
    }
    free(rule.id);
    free(rule.stream);
    free(rule.destination);
    rule.id = strdup(DESTINATIONS_API_RULE);
    rule.stream = strdup(COMMAND_FEED);
    rule.destination = strdup(host->settings->api);
    if (rule.id == NULL || rule.stream == NULL || rule.destination == NULL) {
        rule_release(&rule);
        log_error("no memory for the rule of RELAY_HOST_API");
    } else if (!destinations_put(&host->destinations, &rule)) {
        log_error("no room for the rule of RELAY_HOST_API");
    }
}

/* Open and close. */

static int complain(const char *what, int failed)
{
    fprintf(stderr, "relay host: %s: %s\n", what, strerror(-failed));
    return failed;
}

static char *report(void *context)
{
    const struct host *host = context;
    struct host_report_sources sources = {.feeds = &host->streams.feeds,
                                          .destinations = &host->destinations,
                                          .clients = &host->clients,
                                          .server = &host->server,
                                          .started_ms = host->started_ms,
                                          .now_ms = host->loop.now_ms};

    return host_report_make(&sources);
}

static int open_server(struct host *host)
{
    char what[64];

    host->server = (struct http_server){
        .settings = {.bind_address = host->settings->bind_address,
                     .port = (uint16_t)host->settings->port,
                     .control_is_remote = host->settings->api_remote},
        .loop = &host->loop,
        .feeds = &host->streams.feeds,
        .control = &host->control,
        .clients = &host->clients,
        .report = report,
        .report_context = host,
    };
    snprintf(what, sizeof what, "port %d cannot be opened", (int)host->settings->port);
    int failed = http_server_open(&host->server);

    return failed == 0 ? 0 : complain(what, failed);
}

static int open_parts(struct host *host)
{
    const struct host_settings *settings = host->settings;
    struct destinations_settings destinations = {
        .record_folder = settings->record_dir,
        .ca_file = settings->ca_file,
        .queue_age_max_ms = (uint64_t)settings->queue_age_ms,
        .on_demand = settings->publish == HOST_PUBLISH_ON_DEMAND,
    };
    int failed = open_signals(host);

    if (failed == 0) {
        failed = destinations_init(&host->destinations, &host->loop, &host->streams.feeds,
                                   &destinations);
    }
    device_set_init(&host->devices, &host->loop, &host->streams.feeds,
                    (uint64_t)settings->queue_age_ms);
    host->control =
        (struct control){.destinations = &host->destinations, .streams = &host->streams};
    if (failed == 0) {
        failed = command_init(&host->command, &host->loop, &host->streams.feeds, &host->control);
    }
    if (failed == 0 && !rule_keeper_init(&host->keeper, &host->control, &host->devices,
                                         settings->rules, settings->state_dir)) {
        failed = -ENAMETOOLONG;
    }
    return failed == 0 ? 0 : complain("cannot start", failed);
}

/* Local clients and destinations close at the same time. */
static bool close_parts(struct host *host)
{
    uint64_t deadline_ms = clock_monotonic_ms() + HOST_STOP_MS;

    http_server_close(&host->server);
    local_client_list_close(&host->clients);
    host->control.on_changed = NULL;
    bool all_closed = destinations_deinit(&host->destinations, HOST_STOP_MS);

    while (host->clients.count > 0 && clock_monotonic_ms() < deadline_ms) {
        loop_turn(&host->loop, deadline_ms - clock_monotonic_ms());
    }
    local_client_list_deinit(&host->clients);
    device_set_deinit(&host->devices);
    command_deinit(&host->command);
    streams_deinit(&host->streams);
    loop_watch_remove(&host->loop, &host->signals);
    close(host->signals.fd);
    loop_close(&host->loop);
    return all_closed;
}

static void open_notifier(struct host *host)
{
    int failed = notifier_init(&host->notifier);

    if (failed != 0) {
        log_warn("NOTIFY_SOCKET cannot be used: systemd does not hear that the host is ready",
                 LOG_TEXT("error", strerror(-failed)));
    }
}

static int serve(struct host *host)
{
    local_client_list_init(&host->clients, &host->loop, &host->streams.feeds,
                           (uint64_t)host->settings->queue_age_ms);
    int failed = open_server(host);

    if (failed == 0) {
        rule_keeper_start(&host->keeper);
        add_api_rule(host);
        host->control.on_changed = on_changed;
        log_info("host is ready", LOG_TEXT("version", RELAY_VERSION),
                 LOG_INT("port", host->settings->port),
                 LOG_INT("destinations", host->destinations.count));
        notifier_ready(&host->notifier, "ready");
        loop_run(&host->loop);
        log_info("host stops");
    }
    return failed;
}

static int run(const struct host_settings *settings)
{
    struct host *host = calloc(1, sizeof *host);

    if (host == NULL) {
        return complain("cannot start", -ENOMEM);
    }
    host->settings = settings;
    host->started_ms = clock_monotonic_ms();
    open_notifier(host); /* before any thread */
    streams_init(&host->streams);
    int failed = loop_open(&host->loop);

    if (failed != 0) {
        free(host);
        return complain("cannot start", failed);
    }
    failed = open_parts(host);
    if (failed != 0) {
        return failed; /* the process ends */
    }
    failed = serve(host);
    notifier_deinit(&host->notifier);
    /* A connection that hangs in its end still uses the host. */
    if (close_parts(host)) {
        free(host);
    }
    return failed;
}

/* Each destination has a thread; 32-bit machines have little address space for their stacks. */
static void limit_stacks(void)
{
    pthread_attr_t attributes;

    if (pthread_attr_init(&attributes) == 0) {
        pthread_attr_setstacksize(&attributes, HOST_THREAD_STACK_BYTES);
        pthread_setattr_default_np(&attributes);
        pthread_attr_destroy(&attributes);
    }
}

/* A fixed threshold, glibc's first one: by default it rises with each large message that is freed,
 * and later ones lie among small blocks, which keep their memory. */
static void give_memory_back(void)
{
    mallopt(M_MMAP_THRESHOLD, 128 * 1024);
}

int host_run(const struct host_settings *settings)
{
    limit_stacks();
    give_memory_back();
    int failed = log_open(settings->log_file, (enum log_level)settings->log_level,
                          (enum log_format)settings->log_format);

    if (failed != 0) {
        fprintf(stderr, "relay host: %s: %s; the log goes to standard error\n", settings->log_file,
                strerror(-failed));
    }
    int status = run(settings) == 0 ? 0 : 1;

    log_close();
    return status;
}
