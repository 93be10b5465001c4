/* Goal: the main thread does what each signal asks for and goes on, stops when it is told, forgets
 * expired bookings when that is due, tells systemd, and ends a stop that hangs, but not one that
 * was paused. Method: signals to the test's own thread, pending before the wait; the log and the
 * secret in temporary files; for the end of a stop that hangs, a child process. */
#include "server/supervisor.h"

#include <criterion/criterion.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"

enum { HANGS_MS = 60000, NOTED_BYTES = 4096 };

static struct scene {
    struct supervisor supervisor;
    struct server_config config;
    struct config_reload options;
    struct config_source source;
    char *argv[2];
    struct conn_shared shared;
    struct topic_registry topics;
    struct worker_group group;
    struct worker worker;
    struct key_reload keys;
    struct tls_reload tls;
    struct notifier notifier;
    int systemd_fd;
    char folder[64], log_path[128], secret_path[128];
    char noted[NOTED_BYTES];
} scene;

static void write_secret(const char *text)
{
    FILE *file = fopen(scene.secret_path, "w");

    cr_assert_not_null(file);
    cr_assert_geq(fputs(text, file), 0);
    cr_assert_eq(fclose(file), 0);
}

/* The test's socket in place of systemd's. */
static void open_notifier(void)
{
    struct sockaddr_un address = {.sun_family = AF_UNIX};

    snprintf(address.sun_path, sizeof address.sun_path, "%s/notify", scene.folder);
    scene.systemd_fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
    cr_assert_eq(bind(scene.systemd_fd, (struct sockaddr *)&address, sizeof address), 0);
    setenv("NOTIFY_SOCKET", address.sun_path, 1);
    cr_assert_eq(notifier_init(&scene.notifier), 0);
}

static void open_scene(void)
{
    char error[TOKEN_KEYS_ERROR_SIZE];

    snprintf(scene.folder, sizeof scene.folder, "/tmp/relay-supervisor-test-XXXXXX");
    cr_assert_not_null(mkdtemp(scene.folder));
    snprintf(scene.log_path, sizeof scene.log_path, "%s/log", scene.folder);
    snprintf(scene.secret_path, sizeof scene.secret_path, "%s/secret", scene.folder);
    write_secret("the first secret of this test");
    setenv("RELAY_LOG_FILE", scene.log_path, 1);
    setenv("RELAY_SECRET_FILE", scene.secret_path, 1);
    setenv("RELAY_AUDIENCE", "https://a.example", 1);
    setenv("RELAY_URL", "wss://r.example", 1);
    setenv("RELAY_TIDY_EVERY", "1000s", 1);
    scene.source = (struct config_source){.argc = 1, .argv = scene.argv};
    cr_assert_eq(config_load(&scene.source, &scene.config, error), OPTIONS_OK, "%s", error);
    cr_assert_eq(config_complete(&scene.config, error), 0, "%s", error);
    cr_assert_eq(key_reload_init(&scene.keys, &scene.config, error), 0, "%s", error);
    topic_registry_init(&scene.topics, 1);
    scene.shared.topics = &scene.topics;
    scene.shared.stats_topic = topic_find_or_create(&scene.topics, STATS_TOPIC);
    scene.shared.access.codes = code_store_create(10, 1000);
    scene.shared.access.bookings = bookings_create(10, scene.shared.access.codes);
    open_notifier();
    scene.group = (struct worker_group){.workers = &scene.worker, .workers_count = 1};
    config_reload_init(&scene.options, &scene.source, &scene.config, &scene.shared);
    scene.supervisor = (struct supervisor){.options = &scene.options,
                                           .shared = &scene.shared,
                                           .group = &scene.group,
                                           .keys = &scene.keys,
                                           .tls = &scene.tls,
                                           .notifier = &scene.notifier};
    watchdog_init(&scene.supervisor.watchdog, &scene.notifier, &scene.group, clock_monotonic_ms());
    cr_assert_eq(log_open(scene.log_path, LOG_LEVEL_INFO, LOG_FORMAT_JSON), 0);
    supervisor_block_signals();
}

static void close_scene(void)
{
    char moved[160];

    log_close();
    key_reload_deinit(&scene.keys);
    bookings_destroy(scene.shared.access.bookings);
    code_store_destroy(scene.shared.access.codes);
    topic_unref(scene.shared.stats_topic);
    topic_registry_deinit(&scene.topics);
    snprintf(moved, sizeof moved, "%s.1", scene.log_path);
    unlink(moved);
    unlink(scene.log_path);
    unlink(scene.secret_path);
    notifier_deinit(&scene.notifier);
    close(scene.systemd_fd);
    snprintf(moved, sizeof moved, "%s/notify", scene.folder);
    unlink(moved);
    rmdir(scene.folder);
}

TestSuite(supervisor, .init = open_scene, .fini = close_scene);

/* Reads the log file. */
static const char *noted(void)
{
    FILE *file = fopen(scene.log_path, "r");

    cr_assert_not_null(file);
    scene.noted[fread(scene.noted, 1, sizeof scene.noted - 1, file)] = '\0';
    fclose(file);
    return scene.noted;
}

/* All are pending before the wait, which serves those of lower numbers first. */
static void wait_with(int signal_number, int last)
{
    cr_assert_eq(pthread_kill(pthread_self(), signal_number), 0);
    cr_assert_eq(pthread_kill(pthread_self(), last), 0);
    supervisor_wait(&scene.supervisor);
}

Test(supervisor, stops_when_it_is_told_and_says_by_which_signal)
{
    wait_with(SIGTERM, SIGTERM);
    cr_assert_not_null(strstr(noted(), "\"signal\":\"SIGTERM\""), "%s", scene.noted);
    cr_assert_null(strstr(scene.noted, "SIGINT"));
    wait_with(SIGINT, SIGINT);
    cr_assert_not_null(strstr(noted(), "\"signal\":\"SIGINT\""), "%s", scene.noted);
}

Test(supervisor, logs_the_counters_and_goes_on)
{
    atomic_store(&scene.shared.connections, 7);
    counters_add(&scene.worker.counters, messages_sent, 12345);
    wait_with(SIGUSR1, SIGTERM);
    cr_assert_not_null(strstr(noted(), "\"msg\":\"counters\""), "%s", scene.noted);
    cr_assert_not_null(strstr(scene.noted, "\"messages_sent\":12345"), "%s", scene.noted);
    cr_assert_not_null(strstr(scene.noted, "\"connections_open\":7"), "%s", scene.noted);
    cr_assert_not_null(strstr(scene.noted, "\"topics\":0"), "the relay's own does not count");
    cr_assert_not_null(strstr(scene.noted, "\"msg\":\"stopping\""));
}

Test(supervisor, opens_the_log_again_and_reads_the_keys)
{
    char moved[160];

    snprintf(moved, sizeof moved, "%s.1", scene.log_path);
    cr_assert_eq(rename(scene.log_path, moved), 0);
    wait_with(SIGHUP, SIGTERM);
    cr_assert_not_null(strstr(noted(), "\"msg\":\"keys reloaded\""), "%s", scene.noted);
    cr_assert_not_null(strstr(scene.noted, "log file opened again"), "%s", scene.noted);
}

Test(supervisor, reads_the_keys_also_when_the_log_cannot_be_opened_again)
{
    char moved[160];

    snprintf(moved, sizeof moved, "%s.1", scene.log_path);
    cr_assert_eq(rename(scene.log_path, moved), 0);
    cr_assert_eq(mkdir(scene.log_path, 0700), 0);
    wait_with(SIGHUP, SIGTERM);
    cr_assert_eq(rmdir(scene.log_path), 0);
    cr_assert_eq(rename(moved, scene.log_path), 0);
    cr_assert_not_null(strstr(noted(), "cannot open the log file again"), "%s", scene.noted);
    cr_assert_not_null(strstr(scene.noted, "keys reloaded"), "%s", scene.noted);
    cr_assert_null(strstr(scene.noted, "log file opened again"), "%s", scene.noted);
}

/* The next message to systemd. */
static bool is_told(const char *wanted)
{
    char text[512];
    ssize_t len = recv(scene.systemd_fd, text, sizeof text - 1, 0);

    text[len < 0 ? 0 : len] = '\0';
    return strncmp(text, wanted, strlen(wanted)) == 0;
}

Test(supervisor, tells_systemd_of_each_step)
{
    atomic_store(&scene.shared.connections, 7);
    supervisor_tell_ready(&scene.supervisor);
    cr_assert(is_told("READY=1\nSTATUS=connections: 7, topics: 0"));
    wait_with(SIGHUP, SIGTERM);
    cr_assert(is_told("STATUS=connections: 7, topics: 0"));
    cr_assert(is_told("RELOADING=1\nMONOTONIC_USEC="));
    cr_assert(is_told("READY=1\nSTATUS=connections: 7"));
    cr_assert(is_told("STOPPING=1"));
}

static bool is_listed(const char *booking_id)
{
    enum booking_list list;
    int64_t exp_s;

    return bookings_find(scene.shared.access.bookings, booking_id, &list, &exp_s);
}

Test(supervisor, forgets_expired_bookings_when_that_is_due)
{
    int64_t now_s = clock_wall_s();

    cr_assert_eq(bookings_deny(scene.shared.access.bookings, "old", now_s - 10, now_s - 20), 0);
    cr_assert_eq(bookings_deny(scene.shared.access.bookings, "new", now_s + 1000, now_s), 0);
    scene.supervisor.tidy_due_ms = UINT64_MAX;
    wait_with(SIGTERM, SIGTERM);
    cr_assert(is_listed("old"), "not due");
    scene.supervisor.look_due_ms = 0;
    scene.supervisor.tidy_due_ms = 0;
    wait_with(SIGTERM, SIGTERM);
    cr_assert(!is_listed("old"));
    cr_assert(is_listed("new"));
    cr_assert_gt(scene.supervisor.tidy_due_ms, clock_monotonic_ms());
    cr_assert_gt(scene.supervisor.look_due_ms, clock_monotonic_ms());
}

static void look(void)
{
    scene.supervisor.look_due_ms = 0;
    wait_with(SIGTERM, SIGTERM);
}

Test(supervisor, trims_the_heap_once_for_each_burst_that_workers_gave_back)
{
    const uint64_t burst = 100 << 20;

    counters_add(&scene.worker.counters, memory_given_back, 1000);
    look();
    cr_assert_eq(scene.supervisor.given_back, 0, "it is not worth while");
    counters_add(&scene.worker.counters, memory_given_back, burst);
    look();
    cr_assert_eq(scene.supervisor.given_back, burst + 1000);
    counters_add(&scene.worker.counters, memory_given_back, 1000);
    look();
    cr_assert_eq(scene.supervisor.given_back, burst + 1000);
}

/* A stop that hangs for ever, in a child process. Returns how long it took to end it; a pause of
 * pause_ms becomes known while it hangs. */
static uint64_t hang(uint64_t wait_ms, uint64_t pause_ms)
{
    static const char text[] = "relay serve: a worker did not end in time; giving up\n";
    char read_text[sizeof text] = "";
    uint64_t begun_ms = clock_monotonic_ms();
    int pipe_fds[2], status;

    cr_assert_eq(pipe(pipe_fds), 0);
    pid_t child = fork();

    cr_assert_geq(child, 0);
    if (child == 0) {
        struct run_clock clock;

        dup2(pipe_fds[1], STDERR_FILENO);
        close(pipe_fds[1]);
        run_clock_init(&clock, clock_monotonic_ms());
        supervisor_limit_stop(&clock, wait_ms);
        atomic_store(&clock.paused_ms, pause_ms);
        for (;;) {
            pause();
        }
    }
    close(pipe_fds[1]);
    struct pollfd polled = {.fd = pipe_fds[0], .events = POLLIN};

    if (poll(&polled, 1, HANGS_MS) != 1) {
        kill(child, SIGKILL);
    }
    cr_assert_eq(waitpid(child, &status, 0), child);
    cr_assert_eq(read(pipe_fds[0], read_text, sizeof read_text - 1), sizeof text - 1);
    close(pipe_fds[0]);
    cr_assert_str_eq(read_text, text);
    cr_assert(WIFEXITED(status) && WEXITSTATUS(status) == 1);
    return clock_monotonic_ms() - begun_ms;
}

Test(supervisor, ends_a_stop_that_hangs)
{
    cr_assert_geq(hang(1000, 0), 1000);
}

Test(supervisor, limits_nothing_behind_the_end_of_a_stop)
{
    struct run_clock clock;

    run_clock_init(&clock, clock_monotonic_ms());
    supervisor_limit_stop(&clock, 60000);
    supervisor_end_stop();
    cr_assert_eq(alarm(0), 0);
}

Test(supervisor, does_not_count_a_pause_of_the_machine_as_time_of_the_stop)
{
    cr_assert_geq(hang(1000, 900), 1900);
}

static unsigned asked;
static bool answer, has_changed;

static bool hand_over_once(void *context)
{
    cr_assert_eq(context, &scene);
    asked++;
    return answer;
}

static bool is_changed(void *context)
{
    return has_changed;
}

static int passed;

static void note_passed(void *context, int signal_number)
{
    passed = signal_number;
}

static bool serve_never(void *context)
{
    return false;
}

static void expect_succession(void)
{
    scene.supervisor.succession = (struct supervisor_succession){.is_wanted = is_changed,
                                                                 .hand_over = hand_over_once,
                                                                 .serve = serve_never,
                                                                 .pass_on = note_passed,
                                                                 .context = &scene};
}

Test(supervisor, hand_over_ends_its_work)
{
    expect_succession();
    answer = true;
    cr_assert_eq(pthread_kill(pthread_self(), SIGUSR2), 0);
    supervisor_wait(&scene.supervisor);
    cr_assert(scene.supervisor.is_over);
    cr_assert(is_told("STATUS=")); /* a look that was due */
    cr_assert(is_told("RELOADING=1"));
    cr_assert_not(is_told("STOPPING=1"));
    atomic_store(&scene.shared.drains, 1);
    supervisor_wait_drained(&scene.supervisor, 3600000); /* the other program has ended */
}

Test(supervisor, hand_over_that_is_refused_changes_nothing)
{
    expect_succession();
    wait_with(SIGUSR2, SIGTERM);
    cr_assert_eq(asked, 1, "the lower number is served first");
    cr_assert_not(scene.supervisor.is_over);
}

Test(supervisor, hangup_hands_over_to_another_program_only)
{
    expect_succession();
    wait_with(SIGHUP, SIGTERM);
    cr_assert_eq(asked, 0);
    scene.supervisor.is_stopping = false;
    has_changed = true;
    wait_with(SIGHUP, SIGTERM); /* which refuses: the options are read as ever */
    cr_assert_eq(asked, 1);
    cr_assert_not_null(strstr(noted(), "\"msg\":\"keys reloaded\""), "%s", scene.noted);
    scene.supervisor.is_stopping = false;
    answer = true;
    cr_assert_eq(pthread_kill(pthread_self(), SIGHUP), 0);
    supervisor_wait(&scene.supervisor);
    cr_assert(scene.supervisor.is_over);
    wait_with(SIGHUP, SIGTERM); /* this one was meant for the other program */
    cr_assert_eq(passed, SIGHUP);
}

static bool hand_over_late(void *context)
{
    cr_assert_eq(pthread_kill(pthread_self(), SIGHUP), 0);
    return true;
}

Test(supervisor, hangup_during_a_hand_over_is_passed_on)
{
    expect_succession();
    scene.supervisor.succession.hand_over = hand_over_late;
    cr_assert_eq(pthread_kill(pthread_self(), SIGUSR2), 0);
    supervisor_wait(&scene.supervisor);
    cr_assert_eq(passed, SIGHUP);
}

Test(supervisor, look_tells_of_a_stop_that_waits)
{
    cr_assert(supervisor_look(&scene.supervisor));
    cr_assert_eq(pthread_kill(pthread_self(), SIGTERM), 0);
    cr_assert_not(supervisor_look(&scene.supervisor));
    supervisor_wait(&scene.supervisor);
    cr_assert(supervisor_look(&scene.supervisor));
}
