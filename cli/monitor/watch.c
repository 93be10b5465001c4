/* The main thread sends, keeps time, acts and handles signals; the receiving client's thread judges
 * what arrives. They share the canary under a mutex. */
#include "cli/monitor/watch.h"

#include <poll.h>
#include <pthread.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/signalfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/awake_clock.h"
#include "base/clock.h"
#include "base/log.h"
#include "cli/monitor/canary.h"
#include "cli/monitor/connections.h"
#include "cli/monitor/remedy.h"

enum {
    RENEW_AHEAD_MS = 2000, /* before the relay cuts the connections */
    RENEW_RETRY_MS = 1000,
    PRINT_WAIT_MS = 1000, /* for a reader of standard output */
    FREEZE_MS = 1000,     /* pause of this process after which it excuses the relay */
    DOUBT_CONNECT_MS = 3000,
};

struct watch {
    const struct monitor_settings *settings;
    struct connections connections;
    struct remedy remedy;
    int signal_fd;
    int wake_fd; /* eventfd: too many misses */

    pthread_mutex_t mutex;
    struct canary canary; /* guarded */

    /* Main thread. */
    uint64_t probe_due_ns, renew_due_ns;
    uint64_t hold_end_ns;  /* 0: watching */
    uint64_t doubt_end_ns; /* 0: not checking */
    uint64_t doubt_good;   /* messages in time before the check started */
    pid_t remedy_pid;      /* 0: not running */
    uint64_t triggered;    /* times */
};

static uint64_t ns_of(int64_t ms)
{
    return (uint64_t)ms * 1000000u;
}

/* The receiving client's thread. */

static void log_verdict(enum canary_verdict verdict, uint64_t latency_ns, unsigned misses)
{
    switch (verdict) {
    case CANARY_GOOD:
        log_debug("in time", LOG_INT("latency_us", latency_ns / 1000));
        return;
    case CANARY_LATE:
        log_warn("late: a miss", LOG_INT("latency_us", latency_ns / 1000),
                 LOG_INT("misses", misses));
        return;
    case CANARY_STRANGE:
        log_debug("not a message of this monitor");
        return;
    }
}

static void wake(const struct watch *watch)
{
    uint64_t one = 1;
    ssize_t ignored UNUSED = write(watch->wake_fd, &one, sizeof one);
}

static void on_message(struct bytes message, void *context)
{
    struct watch *watch = context;
    uint64_t latency_ns = 0;

    pthread_mutex_lock(&watch->mutex);
    enum canary_verdict verdict =
        canary_on_message(&watch->canary, message, clock_monotonic_ns(), &latency_ns);
    unsigned misses = watch->canary.misses;
    bool dead = canary_is_dead(&watch->canary);

    pthread_mutex_unlock(&watch->mutex);
    log_verdict(verdict, latency_ns, misses);
    if (dead) {
        wake(watch);
    }
}

/* The main thread: sending. */

static void renew_schedule(struct watch *watch, uint64_t now_ns)
{
    watch->renew_due_ns = now_ns + ns_of(watch->settings->reconnect_every_ms - RENEW_AHEAD_MS);
}

static void renew(struct watch *watch, uint64_t now_ns)
{
    log_info("reconnecting with new tokens");
    if (connections_renew(&watch->connections)) {
        renew_schedule(watch, now_ns);
        return;
    }
    log_error("cannot reconnect; trying again");
    watch->renew_due_ns = now_ns + ns_of(RENEW_RETRY_MS);
}

static void probe_send(struct watch *watch, uint64_t now_ns)
{
    uint8_t probe[CANARY_PROBE_SIZE];

    pthread_mutex_lock(&watch->mutex);
    size_t len = canary_probe(&watch->canary, clock_wall_ns(), now_ns, probe);

    pthread_mutex_unlock(&watch->mutex);
    int failed = connections_send(&watch->connections, bytes_of(probe, len));

    if (failed != 0) {
        log_debug("not sent", LOG_TEXT("error", strerror(-failed)));
    }
    watch->probe_due_ns += 2 * ns_of(watch->settings->interval_ms);
    if (watch->probe_due_ns <= now_ns) { /* the machine slept */
        watch->probe_due_ns = now_ns + 2 * ns_of(watch->settings->interval_ms);
    }
}

/* The remedy. */

static void relays_kill(void)
{
    unsigned failed;
    unsigned killed = remedy_kill_relays("/proc", &failed);

    LOG_EVENT(killed > 0 && failed == 0 ? LOG_LEVEL_WARN : LOG_LEVEL_ERROR,
              killed > 0 ? "relay serve was killed" : "no relay serve could be killed",
              LOG_INT("killed", killed), LOG_INT("not_permitted", failed));
}

static void command_run(struct watch *watch)
{
    int failed = remedy_run(&watch->remedy, &watch->remedy_pid);

    if (failed != 0) {
        watch->remedy_pid = 0;
        log_error("cannot run the command", LOG_TEXT("command", watch->remedy.words[0]),
                  LOG_TEXT("error", strerror(-failed)));
        return;
    }
    log_warn("running the command", LOG_TEXT("command", watch->remedy.words[0]),
             LOG_INT("pid", watch->remedy_pid));
}

static void command_reap(struct watch *watch)
{
    int status;

    if (watch->remedy_pid == 0 || waitpid(watch->remedy_pid, &status, WNOHANG) <= 0) {
        return;
    }
    bool exited = WIFEXITED(status);

    LOG_EVENT(exited && WEXITSTATUS(status) == 0 ? LOG_LEVEL_INFO : LOG_LEVEL_ERROR,
              "the command ended", LOG_INT("exit_status", exited ? WEXITSTATUS(status) : -1),
              LOG_INT("signal", exited ? 0 : WTERMSIG(status)));
    watch->remedy_pid = 0;
}

static void hold(struct watch *watch, uint64_t now_ns)
{
    watch->hold_end_ns = now_ns + ns_of(watch->settings->no_retrigger_within_ms);
}

static void remedy_apply(struct watch *watch, unsigned misses, uint64_t now_ns)
{
    watch->triggered++;
    log_error("the relay is considered down", LOG_INT("misses", misses));
    hold(watch, now_ns);
    if (watch->remedy.words_count == 0) {
        relays_kill();
    } else {
        command_run(watch);
    }
}

/* Killing every relay of the machine is drastic, and a connection may hang for other reasons, so
 * the relay is first checked on new connections. */

static void misses_forget(struct watch *watch, uint64_t now_ns)
{
    pthread_mutex_lock(&watch->mutex);
    canary_forgive(&watch->canary, now_ns);
    pthread_mutex_unlock(&watch->mutex);
}

static void doubt_begin(struct watch *watch, unsigned misses, uint64_t now_ns)
{
    const struct monitor_settings *settings = watch->settings;

    log_warn("the relay may be down: checking on new connections", LOG_INT("misses", misses));
    pthread_mutex_lock(&watch->mutex);
    watch->doubt_good = watch->canary.good;
    pthread_mutex_unlock(&watch->mutex);
    if (!connections_renew(&watch->connections)) {
        log_error("cannot reconnect, for a reason that is not the relay's");
        misses_forget(watch, now_ns);
        return;
    }
    renew_schedule(watch, now_ns);
    watch->doubt_end_ns =
        now_ns + ns_of(DOUBT_CONNECT_MS + 2 * settings->interval_ms + settings->threshold_ms);
}

static void doubt_judge(struct watch *watch, uint64_t now_ns)
{
    pthread_mutex_lock(&watch->mutex);
    bool answers = watch->canary.good > watch->doubt_good;
    unsigned misses = watch->canary.misses;

    pthread_mutex_unlock(&watch->mutex);
    if (answers || connections_are_refused(&watch->connections)) {
        log_error("the relay responds on new connections and is left alone");
        watch->doubt_end_ns = 0;
        misses_forget(watch, now_ns);
    } else if (now_ns >= watch->doubt_end_ns) {
        watch->doubt_end_ns = 0;
        remedy_apply(watch, misses, now_ns);
    }
}

static void trigger(struct watch *watch, unsigned misses, uint64_t now_ns)
{
    if (watch->remedy.words_count == 0) {
        doubt_begin(watch, misses, now_ns);
    } else {
        remedy_apply(watch, misses, now_ns);
    }
}

/* Judging. */

static void hold_end(struct watch *watch, uint64_t now_ns)
{
    if (watch->remedy_pid != 0) {
        log_error("the command is still running; it is not started a second time",
                  LOG_INT("pid", watch->remedy_pid));
        hold(watch, now_ns);
        return;
    }
    watch->hold_end_ns = 0;
    pthread_mutex_lock(&watch->mutex);
    canary_restart(&watch->canary, now_ns);
    pthread_mutex_unlock(&watch->mutex);
    log_info("watching again");
}

/* Killing a relay that responds would not change its answer. */
static void excuse_refusals(struct watch *watch, uint64_t now_ns)
{
    if (!connections_are_refused(&watch->connections)) {
        return;
    }
    pthread_mutex_lock(&watch->mutex);
    bool silent = now_ns >= canary_wake_ns(&watch->canary);

    if (silent) {
        canary_excuse(&watch->canary, now_ns);
    }
    pthread_mutex_unlock(&watch->mutex);
    if (silent) {
        log_error("the relay refuses this monitor, which is not a miss; check secret and audience");
    }
}

static void judge(struct watch *watch, uint64_t now_ns)
{
    excuse_refusals(watch, now_ns);
    pthread_mutex_lock(&watch->mutex);
    bool silent = canary_on_time(&watch->canary, now_ns);
    unsigned misses = watch->canary.misses;
    bool dead = canary_is_dead(&watch->canary);

    pthread_mutex_unlock(&watch->mutex);
    if (silent) {
        log_warn("silence: a miss", LOG_INT("misses", misses));
    }
    if (dead) {
        trigger(watch, misses, now_ns);
    }
}

static void do_what_is_due(struct watch *watch, uint64_t now_ns)
{
    if (now_ns >= watch->renew_due_ns) {
        renew(watch, now_ns);
    }
    if (now_ns >= watch->probe_due_ns) {
        probe_send(watch, now_ns);
    }
    if (watch->doubt_end_ns != 0) {
        doubt_judge(watch, now_ns);
    } else if (watch->hold_end_ns == 0) {
        judge(watch, now_ns);
    } else if (now_ns >= watch->hold_end_ns) {
        hold_end(watch, now_ns);
    }
}

static uint64_t next_due_ns(struct watch *watch)
{
    uint64_t due_ns = watch->doubt_end_ns != 0 ? watch->doubt_end_ns : watch->hold_end_ns;

    if (due_ns == 0) {
        pthread_mutex_lock(&watch->mutex);
        due_ns = canary_wake_ns(&watch->canary);
        pthread_mutex_unlock(&watch->mutex);
    }
    due_ns = watch->probe_due_ns < due_ns ? watch->probe_due_ns : due_ns;
    return watch->renew_due_ns < due_ns ? watch->renew_due_ns : due_ns;
}

/* Standard output may be a pipe that is not read: then the output is dropped. */
static void print(const char *text)
{
    size_t len = strlen(text);
    struct pollfd fd = {.fd = STDOUT_FILENO, .events = POLLOUT};

    while (len > 0 && poll(&fd, 1, PRINT_WAIT_MS) > 0 && (fd.revents & POLLOUT) != 0) {
        ssize_t written = write(STDOUT_FILENO, text, len < 512 ? len : 512);

        if (written <= 0) {
            return;
        }
        text += written;
        len -= (size_t)written;
    }
}

static void report_print(struct watch *watch)
{
    char counts[256];
    char histogram[LATENCY_HISTOGRAM_TEXT_SIZE];

    pthread_mutex_lock(&watch->mutex);
    const struct canary *canary = &watch->canary;

    snprintf(counts, sizeof counts,
             "sent %llu, in time %llu, late %llu, silences %llu, triggered %llu, strange %llu\n",
             (unsigned long long)canary->sent, (unsigned long long)canary->good,
             (unsigned long long)canary->late, (unsigned long long)canary->silences,
             (unsigned long long)watch->triggered, (unsigned long long)canary->strange);
    latency_histogram_format(&canary->latency, histogram);
    pthread_mutex_unlock(&watch->mutex);
    print(counts);
    print(histogram);
}

static void log_open_again(const struct monitor_settings *settings)
{
    int failed = log_reopen();

    if (failed != 0) {
        log_error("cannot reopen the log file; continuing with the old one",
                  LOG_TEXT("file", settings->log_file), LOG_TEXT("error", strerror(-failed)));
    }
}

/* False: stop. */
static bool signals_handle(struct watch *watch)
{
    struct signalfd_siginfo info;

    while (read(watch->signal_fd, &info, sizeof info) == (ssize_t)sizeof info) {
        switch (info.ssi_signo) {
        case SIGUSR1:
            report_print(watch);
            break;
        case SIGHUP:
            log_open_again(watch->settings);
            break;
        case SIGCHLD:
            command_reap(watch);
            break;
        default:
            return false;
        }
    }
    return true;
}

/* Messages that arrived while this process could not run are not late. */
static void forgive_freeze(struct watch *watch, struct awake_clock *clock, uint64_t wait_ns)
{
    uint64_t real_ms = clock_monotonic_ms(), before_ms = clock->now_ms;
    uint64_t elapsed_ms = real_ms - clock->real_ms;
    uint64_t frozen_ms =
        elapsed_ms - (awake_clock_advance(clock, real_ms, wait_ns / 1000000u + 1) - before_ms);

    if (frozen_ms >= FREEZE_MS) {
        log_warn("this monitor could not run: messages missed meanwhile do not count",
                 LOG_INT("frozen_ms", frozen_ms));
        misses_forget(watch, clock_monotonic_ns());
    }
}

static void loop(struct watch *watch)
{
    struct awake_clock clock;
    struct pollfd fds[] = {{.fd = watch->signal_fd, .events = POLLIN},
                           {.fd = watch->wake_fd, .events = POLLIN}};
    uint64_t wakes;

    awake_clock_init(&clock, clock_monotonic_ms());
    while (signals_handle(watch)) {
        ssize_t ignored UNUSED = read(watch->wake_fd, &wakes, sizeof wakes);

        do_what_is_due(watch, clock_monotonic_ns());
        uint64_t due_ns = next_due_ns(watch), now_ns = clock_monotonic_ns();
        uint64_t wait_ns = due_ns > now_ns ? due_ns - now_ns : 0;
        struct timespec timeout = {.tv_sec = (time_t)(wait_ns / 1000000000u),
                                   .tv_nsec = (long)(wait_ns % 1000000000u)};

        ppoll(fds, ARRAY_LENGTH(fds), &timeout, NULL);
        forgive_freeze(watch, &clock, wait_ns);
    }
}

/* Start and end. */

static void canary_start(struct watch *watch, uint64_t now_ns)
{
    const struct monitor_settings *settings = watch->settings;
    /* Silence between two messages is not a fault. */
    int64_t silence_ms_min = 2 * settings->interval_ms + settings->threshold_ms;
    struct canary_settings canary_settings = {
        .threshold_ns = ns_of(settings->threshold_ms),
        .silence_ns = ns_of(settings->no_retrigger_within_ms > silence_ms_min
                                ? settings->no_retrigger_within_ms
                                : silence_ms_min),
        .misses_max = (unsigned)settings->trigger_after_misses,
    };

    canary_init(&watch->canary, &canary_settings, now_ns);
    watch->probe_due_ns = now_ns + ns_of(settings->interval_ms);
    renew_schedule(watch, now_ns);
}

static bool descriptors_open(struct watch *watch)
{
    sigset_t set;

    sigemptyset(&set);
    sigaddset(&set, SIGINT);
    sigaddset(&set, SIGTERM);
    sigaddset(&set, SIGHUP);
    sigaddset(&set, SIGUSR1);
    sigaddset(&set, SIGCHLD);
    pthread_sigmask(SIG_BLOCK, &set, NULL);
    signal(SIGPIPE, SIG_IGN);
    watch->signal_fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
    watch->wake_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
    if (watch->signal_fd < 0 || watch->wake_fd < 0) {
        perror("relay monitor: cannot start");
        return false;
    }
    return true;
}

static int watch_until_stopped(struct watch *watch)
{
    canary_start(watch, clock_monotonic_ns());
    int failed = connections_start(&watch->connections);

    if (failed != 0) {
        fprintf(stderr, "relay monitor: cannot start: %s\n", strerror(-failed));
        return 1;
    }
    log_info("watching", LOG_TEXT("topic", watch->settings->topic));
    loop(watch);
    connections_stop(&watch->connections);
    report_print(watch);
    return 0;
}

static bool parts_init(struct watch *watch)
{
    int failed = remedy_init(&watch->remedy, watch->settings->command);

    if (failed != 0) {
        fprintf(stderr, "relay monitor: RELAY_MONITOR_COMMAND cannot be used: %s\n",
                strerror(-failed));
        return false;
    }
    return descriptors_open(watch) &&
           connections_init(&watch->connections, watch->settings, on_message, watch);
}

int watch_run(const struct monitor_settings *settings)
{
    struct watch watch = {.settings = settings, .signal_fd = -1, .wake_fd = -1};

    pthread_mutex_init(&watch.mutex, NULL);
    int status = parts_init(&watch) ? watch_until_stopped(&watch) : 1;

    connections_deinit(&watch.connections);
    remedy_deinit(&watch.remedy);
    if (watch.signal_fd >= 0) {
        close(watch.signal_fd);
    }
    if (watch.wake_fd >= 0) {
        close(watch.wake_fd);
    }
    pthread_mutex_destroy(&watch.mutex);
    return status;
}
