#include "server/supervisor.h"

#include <malloc.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"

enum { COUNTERS_JSON_SIZE = 3500, FILES_LOOK_MS = 5000, STATUS_SIZE = 64 };
enum { DRAIN_LOOK_MS = 50, DRAIN_LATE_MS = 10000 };

/* Less than that stays in the heap for the next. */
enum { HEAP_TRIM_BYTES_MIN = 1024 * 1024 };

static void fill(sigset_t *signals)
{
    sigemptyset(signals);
    sigaddset(signals, SIGINT);
    sigaddset(signals, SIGTERM);
    sigaddset(signals, SIGHUP);
    sigaddset(signals, SIGUSR1);
    sigaddset(signals, SIGUSR2);
}

void supervisor_block_signals(void)
{
    sigset_t signals;

    fill(&signals);
    pthread_sigmask(SIG_BLOCK, &signals, NULL);
    signal(SIGPIPE, SIG_IGN);
    signal(SIGXFSZ, SIG_IGN); /* a file at its size limit is a failed write like others */
    signal(SIGCHLD, SIG_DFL); /* or a new program that ends would be reaped without its status */
}

void supervisor_log_counters(const struct supervisor *supervisor, const char *event)
{
    const struct conn_shared *shared = supervisor->shared;
    struct counters sum = {0};
    char text[COUNTERS_JSON_SIZE];
    struct json_writer json;

    for (unsigned i = 0; i < supervisor->group->workers_count; i++) {
        counters_accumulate(&sum, &supervisor->group->workers[i].counters);
    }
    json_writer_init(&json, text, sizeof text);
    counters_write_json(&sum, &json);
    /* At warn, so that the default level shows what the operator asked for. */
    log_warn(event, LOG_JSON("counters", text),
             LOG_INT("connections_open", atomic_load(&shared->connections)),
             LOG_INT("topics", topic_registry_count(shared->topics) - 1), /* less our own */
             LOG_INT("codes_waiting", code_store_count(shared->access.codes)),
             LOG_INT("log_lines_lost", log_lines_lost()));
}

static void write_status(const struct supervisor *supervisor, char text[static STATUS_SIZE])
{
    const struct conn_shared *shared = supervisor->shared;

    snprintf(text, STATUS_SIZE, "connections: %u, topics: %u", atomic_load(&shared->connections),
             (unsigned)topic_registry_count(shared->topics) - 1); /* less our own */
}

void supervisor_tell_ready(const struct supervisor *supervisor)
{
    char status[STATUS_SIZE];

    write_status(supervisor, status);
    notifier_ready(supervisor->notifier, status);
}

static void tell_status(const struct supervisor *supervisor)
{
    char status[STATUS_SIZE];

    write_status(supervisor, status);
    notifier_status(supervisor->notifier, status);
}

static void tidy_if_due(struct supervisor *supervisor, uint64_t now_ms)
{
    if (now_ms >= supervisor->tidy_due_ms) {
        bookings_tidy(supervisor->shared->access.bookings, clock_wall_s());
        supervisor->tidy_due_ms = now_ms + (uint64_t)supervisor->options->config->tidy_every_ms;
    }
}

/* The heap keeps what is freed in its middle. To search it takes time and its locks, for which a
 * worker waits that frees or takes memory of the heap; in a steady state none does. */
static void trim_heap_if_due(struct supervisor *supervisor)
{
    uint64_t given_back = 0;

    for (unsigned i = 0; i < supervisor->group->workers_count; i++) {
        given_back += atomic_load_explicit(
            &supervisor->group->workers[i].counters.memory_given_back, memory_order_relaxed);
    }
    if (given_back - supervisor->given_back >= HEAP_TRIM_BYTES_MIN) {
        malloc_trim(0);
        supervisor->given_back = given_back;
    }
}

/* Due by the clock, not by the silence between two signals: SIGUSR1 may come every second. Returns
 * how long to wait for the next time. */
static struct timespec look_if_due(struct supervisor *supervisor)
{
    uint64_t now_ms = clock_monotonic_ms();

    if (now_ms >= supervisor->look_due_ms) {
        tls_reload_if_changed(supervisor->tls);
        tidy_if_due(supervisor, now_ms);
        trim_heap_if_due(supervisor);
        tell_status(supervisor);
        supervisor->look_due_ms = now_ms + FILES_LOOK_MS;
    }
    uint64_t watch_due_ms = watchdog_look(&supervisor->watchdog, now_ms);
    uint64_t due_ms =
        watch_due_ms < supervisor->look_due_ms ? watch_due_ms : supervisor->look_due_ms;
    uint64_t left_ms = due_ms - now_ms;

    return (struct timespec){.tv_sec = (time_t)(left_ms / 1000),
                             .tv_nsec = (long)(left_ms % 1000) * 1000000};
}

/* True: another program is the relay. systemd takes nothing from this one any more. */
static bool hand_over(struct supervisor *supervisor)
{
    const struct supervisor_succession *succession = &supervisor->succession;

    if (supervisor->is_over) {
        log_info("handed over already", LOG_TEXT("signal", "SIGUSR2"));
        return false;
    }
    if (supervisor->is_stopping || succession->hand_over == NULL) {
        log_error("not handed over: the relay is stopping", LOG_TEXT("signal", "SIGUSR2"));
        return false;
    }
    notifier_reloading(supervisor->notifier);
    supervisor->is_over = succession->hand_over(succession->context);
    if (!supervisor->is_over) {
        supervisor_tell_ready(supervisor);
    }
    return supervisor->is_over;
}

static void reload(struct supervisor *supervisor)
{
    notifier_reloading(supervisor->notifier);
    int failed = log_reopen();

    if (failed != 0) {
        log_error(
            "cannot open the log file again, going on in the old one; correct the path or its "
            "rights and send SIGHUP",
            LOG_TEXT("file", supervisor->options->config->log_file),
            LOG_TEXT("error", strerror(-failed)));
    }
    config_reload_now(supervisor->options);
    tls_reload_now(supervisor->tls);
    key_reload_now(supervisor->keys, supervisor->options->config);
    if (failed == 0) {
        log_info("log file opened again", LOG_TEXT("signal", "SIGHUP"));
    }
    supervisor_tell_ready(supervisor);
}

/* A package that was upgraded reloads the service: the options are those of the new program. */
static bool on_hangup(struct supervisor *supervisor)
{
    const struct supervisor_succession *succession = &supervisor->succession;

    if (supervisor->is_over) {
        succession->pass_on(succession->context, SIGHUP);
    } else if (succession->is_wanted != NULL && succession->is_wanted(succession->context) &&
               hand_over(supervisor)) {
        return true;
    }
    reload(supervisor);
    return false;
}

/* Serves one of these, or looks when it is time. True: it is one to stop. */
static bool serve_signal(struct supervisor *supervisor, const sigset_t *signals,
                         struct timespec wait)
{
    int signal_number = sigtimedwait(signals, NULL, &wait);

    switch (signal_number) {
    case -1: /* it is time to look */
        return false;
    case SIGHUP:
        return on_hangup(supervisor);
    case SIGUSR1:
        supervisor_log_counters(supervisor, "counters");
        return false;
    case SIGUSR2:
        return hand_over(supervisor);
    default:
        log_info("stopping", LOG_TEXT("signal", signal_number == SIGINT ? "SIGINT" : "SIGTERM"));
        return true;
    }
}

/* Those that came during a hand-over are meant for the relay. A stop is left for the drain. */
static void serve_waiting(struct supervisor *supervisor)
{
    static const int numbers[] = {SIGHUP, SIGUSR2};
    sigset_t signals;

    for (size_t i = 0; i < ARRAY_LENGTH(numbers); i++) {
        sigemptyset(&signals);
        sigaddset(&signals, numbers[i]);
        (void)!serve_signal(supervisor, &signals, (struct timespec){0});
    }
}

void supervisor_wait(struct supervisor *supervisor)
{
    sigset_t signals;

    fill(&signals);
    while (!serve_signal(supervisor, &signals, look_if_due(supervisor))) {
    }
    if (supervisor->is_over) {
        serve_waiting(supervisor);
    } else {
        supervisor->is_stopping = true;
        notifier_stopping(supervisor->notifier);
    }
}

bool supervisor_look(struct supervisor *supervisor)
{
    sigset_t waiting;

    look_if_due(supervisor);
    sigpending(&waiting);
    return sigismember(&waiting, SIGTERM) == 0 && sigismember(&waiting, SIGINT) == 0;
}

static bool serve_successor(struct supervisor *supervisor)
{
    const struct supervisor_succession *succession = &supervisor->succession;

    return !supervisor->is_over || succession->serve(succession->context);
}

/* A program that another one follows has no watchdog: a worker that hangs is not waited for. */
static bool is_late(const struct supervisor *supervisor, uint64_t due_ms)
{
    return supervisor->is_over && clock_monotonic_ms() >= due_ms;
}

void supervisor_wait_drained(struct supervisor *supervisor, uint64_t drain_ms)
{
    const struct timespec tick = {.tv_nsec = DRAIN_LOOK_MS * 1000000};
    uint64_t due_ms = clock_monotonic_ms() + drain_ms + DRAIN_LATE_MS;
    sigset_t signals;

    fill(&signals);
    while (atomic_load(&supervisor->shared->drains) > 0 && serve_successor(supervisor) &&
           !is_late(supervisor, due_ms) && !serve_signal(supervisor, &signals, tick)) {
        look_if_due(supervisor);
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
    /* As run_clock_at, which an analyzer cannot see to be safe here. */
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

void supervisor_limit_stop(const struct run_clock *clock, uint64_t wait_ms)
{
    stop.clock = clock;
    stop.due_ms = run_clock_at(clock, clock_monotonic_ms()) + wait_ms;
    signal(SIGALRM, on_alarm);
    set_alarm(wait_ms);
}

void supervisor_end_stop(void)
{
    alarm(0);
}
