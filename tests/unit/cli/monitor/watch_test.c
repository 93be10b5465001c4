/* Goal: relay monitor acts when its messages stop coming back in time, and only then. Method: hours
 * in no time: the clock and ppoll are the test's, as are the connections and the remedy, so nothing
 * is ever killed. The signals are real. */
#include "cli/monitor/watch.h"

#include <criterion/criterion.h>
#include <criterion/redirect.h>
#include <errno.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "cli/monitor/canary.h"
#include "cli/monitor/connections.h"
#include "cli/monitor/remedy.h"
#include "tests/unit/log_file.h"

#define MS          UINT64_C(1000000)
#define SECOND      UINT64_C(1000000000)
#define START_NS    (SECOND * 1000)
#define WALL_NS     (SECOND * 1795425680)
#define TURNS_MAX   1000000u
#define FREEZES_MAX 3u

static struct monitor_settings settings;
static char log_path[] = "/tmp/relay-watch-test-XXXXXX";

/* Time since the start of a test. */
static uint64_t now_ns;
static uint64_t end_ns; /* SIGTERM comes */
static uint64_t report_at_ns;
static uint64_t freeze_ns; /* how long this process does not run after each probe */
static unsigned freezes, turns;

/* The relay of the test. */
static bool answers, refused, renewal_fails, renewal_cures, renewal_is_refused;
static uint64_t latency_ns;
static uint64_t answer_due_ns; /* 0: none is under way */
static uint8_t answer[CANARY_PROBE_SIZE];
static size_t answer_len;
static unsigned probes, renewals;
static uint64_t renewed_ns;
static connections_on_message *on_message;
static void *on_message_context;

/* The remedy of the test. */
static int remedy_result;
static unsigned commands, kills;
static uint64_t command_ns, kill_ns; /* of the first one */
static bool command_hangs;
static pid_t command_pid;

uint64_t clock_monotonic_ns(void)
{
    return START_NS + now_ns;
}

uint64_t clock_monotonic_ms(void)
{
    return clock_monotonic_ns() / MS;
}

uint64_t clock_wall_ns(void)
{
    return WALL_NS + now_ns;
}

int64_t clock_wall_s(void)
{
    return (int64_t)(clock_wall_ns() / SECOND);
}

static void answer_deliver(void)
{
    if (answer_due_ns != 0 && now_ns >= answer_due_ns) {
        answer_due_ns = 0;
        on_message(bytes_of(answer, answer_len), on_message_context);
    }
}

/* To the next moment at which anything happens, at most to until_ns. */
static void time_pass(uint64_t until_ns)
{
    until_ns = until_ns < end_ns ? until_ns : end_ns;
    now_ns = answer_due_ns != 0 && answer_due_ns < until_ns ? answer_due_ns : until_ns;
    if (freeze_ns > 0 && answer_due_ns == now_ns && freezes < FREEZES_MAX) {
        freezes++;
        now_ns += freeze_ns;
    }
    answer_deliver();
    if (report_at_ns != 0 && now_ns >= report_at_ns) {
        report_at_ns = 0;
        kill(getpid(), SIGUSR1);
    }
    if (now_ns >= end_ns) {
        kill(getpid(), SIGTERM);
    }
}

int ppoll(struct pollfd *fds, nfds_t count, const struct timespec *timeout, const sigset_t *mask)
{
    uint64_t until_ns = now_ns + (uint64_t)timeout->tv_sec * SECOND + (uint64_t)timeout->tv_nsec;
    int ready;

    cr_assert_lt(turns++, TURNS_MAX, "the loop does not wait");
    while ((ready = poll(fds, count, 0)) == 0 && now_ns < until_ns) {
        time_pass(until_ns);
    }
    return ready;
}

bool connections_init(struct connections *connections, const struct monitor_settings *given,
                      connections_on_message *callback, void *context)
{
    cr_expect_eq(given, &settings);
    on_message = callback;
    on_message_context = context;
    return true;
}

void connections_deinit(struct connections *connections)
{
}

int connections_start(struct connections *connections)
{
    return settings.insecure ? -EAGAIN : 0; /* a test's way to ask for it */
}

void connections_stop(struct connections *connections)
{
}

bool connections_renew(struct connections *connections)
{
    renewals++;
    renewed_ns = now_ns;
    answers = answers || renewal_cures;
    refused = refused || renewal_is_refused;
    return !renewal_fails;
}

int connections_send(struct connections *connections, struct bytes message)
{
    probes++;
    if (!answers) {
        return -EAGAIN;
    }
    memcpy(answer, message.data, message.len);
    answer_len = message.len;
    answer_due_ns = now_ns + latency_ns;
    answer_deliver();
    return 0;
}

bool connections_are_refused(const struct connections *connections)
{
    return refused;
}

int remedy_init(struct remedy *remedy, const char *command)
{
    static char word[] = "restart";

    *remedy = (struct remedy){.words = {word}};
    remedy->words_count = command[0] == '\0' ? 0 : 1;
    return remedy_result;
}

void remedy_deinit(struct remedy *remedy)
{
}

static void child_end(void)
{
    siginfo_t info;

    /* Left to the monitor to reap, whose SIGCHLD is there by now. */
    cr_assert_eq(waitid(P_PID, (id_t)command_pid, &info, WEXITED | WNOWAIT), 0);
}

int remedy_run(const struct remedy *remedy, pid_t *ret_pid)
{
    command_ns = commands++ == 0 ? now_ns : command_ns;
    command_pid = fork();
    cr_assert_geq(command_pid, 0);
    if (command_pid == 0) {
        while (command_hangs) {
            pause();
        }
        _exit(0);
    }
    if (!command_hangs) {
        child_end();
    }
    *ret_pid = command_pid;
    return 0;
}

unsigned remedy_kill_relays(const char *proc, unsigned *ret_failed)
{
    kill_ns = kills++ == 0 ? now_ns : kill_ns;
    cr_expect_str_eq(proc, "/proc");
    *ret_failed = 0;
    return 1;
}

static void start(void)
{
    static char topic[] = "canary-st-data";
    static char command[] = "restart";

    int fd = mkstemp(log_path);

    cr_assert_geq(fd, 0);
    close(fd);
    cr_assert_eq(log_open(log_path, LOG_LEVEL_WARN, LOG_FORMAT_JSON), 0);
    cr_redirect_stdout();
    cr_redirect_stderr();
    /* The defaults. */
    settings = (struct monitor_settings){.topic = topic,
                                         .interval_ms = 1000,
                                         .threshold_ms = 200,
                                         .trigger_after_misses = 3,
                                         .no_retrigger_within_ms = 60000,
                                         .reconnect_every_ms = 24 * 3600 * 1000,
                                         .command = command,
                                         .log_file = log_path};
    answers = true;
    latency_ns = 10 * MS;
}

static void stop(void)
{
    unlink(log_path);
}

TestSuite(watch, .init = start, .fini = stop);

static void run_until(uint64_t time_ns)
{
    end_ns = time_ns;
    cr_assert_eq(watch_run(&settings), 0);
}

static bool is_logged(const char *message)
{
    return log_file_has(log_path, message);
}

static void expect_printed(const char *counts)
{
    char text[4096];
    size_t len = fread(text, 1, sizeof text - 1, cr_get_redirected_stdout());

    text[len] = '\0';
    cr_expect_eq(strncmp(text, counts, strlen(counts)), 0, "%s", text);
}

Test(watch, leaves_a_relay_alone_that_answers_in_time)
{
    latency_ns = 200 * MS;
    run_until(100 * SECOND);
    cr_expect_eq(probes, 50, "one every two intervals, from the first on");
    cr_expect_eq(commands, 0);
    expect_printed("sent 50, in time 50, late 0, silences 0, triggered 0, strange 0\n");
}

Test(watch, runs_the_command_at_the_third_late_message)
{
    latency_ns = 201 * MS;
    run_until(6 * SECOND);
    cr_expect_eq(commands, 1);
    cr_expect_eq(command_ns, 5201 * MS);
    expect_printed("sent 3, in time 0, late 3, silences 0, triggered 1, strange 0\n");
}

Test(watch, runs_the_command_after_silence)
{
    answers = false;
    run_until(181 * SECOND);
    cr_expect_eq(command_ns, 180 * SECOND);
    cr_expect_eq(commands, 1);
}

Test(watch, takes_no_pause_between_two_messages_for_silence)
{
    settings.no_retrigger_within_ms = 0;
    run_until(30 * SECOND);
    cr_expect_eq(commands, 0);
}

Test(watch, counts_silence_from_two_intervals_and_the_threshold)
{
    settings.no_retrigger_within_ms = 0;
    answers = false;
    run_until(6601 * MS);
    cr_expect_eq(command_ns, 6600 * MS);
}

Test(watch, leaves_the_relay_alone_after_the_command)
{
    answers = false;
    run_until(419 * SECOND);
    cr_expect_eq(commands, 1, "held until 240 s, then three periods of silence");
}

Test(watch, runs_the_command_again_when_it_did_not_help)
{
    answers = false;
    run_until(421 * SECOND);
    cr_expect_eq(commands, 2);
}

Test(watch, does_not_start_a_command_that_is_still_running)
{
    answers = false;
    command_hangs = true;
    run_until(1000 * SECOND);
    cr_expect_eq(commands, 1);
    cr_expect(is_logged("the command is still running; it is not started a second time"));
    kill(command_pid, SIGKILL);
    cr_expect_eq(waitpid(command_pid, NULL, 0), command_pid);
}

Test(watch, takes_no_refusal_for_silence)
{
    answers = false;
    refused = true;
    run_until(3600 * SECOND);
    cr_expect_eq(commands, 0);
    cr_expect(is_logged("the relay refuses this monitor, which is not a miss"));
}

Test(watch, kills_relays_only_when_new_connections_are_silent_too)
{
    settings.command = (char[]){""};
    answers = false;
    run_until(200 * SECOND);
    cr_expect_eq(renewals, 1);
    cr_expect_eq(renewed_ns, 180 * SECOND);
    cr_expect_eq(kills, 1);
    /* 3 s to connect, two intervals and the threshold. */
    cr_expect_eq(kill_ns, (180000 + 3000 + 2000 + 200) * MS);
}

Test(watch, kills_no_relay_that_answers_on_new_connections)
{
    settings.command = (char[]){""};
    answers = false;
    renewal_cures = true;
    run_until(600 * SECOND);
    cr_expect_eq(renewals, 1);
    cr_expect_eq(kills, 0);
    cr_expect(is_logged("the relay responds on new connections and is left alone"));
}

Test(watch, kills_no_relay_that_refuses_new_connections)
{
    settings.command = (char[]){""};
    answers = false;
    renewal_is_refused = true;
    run_until(600 * SECOND);
    cr_expect_eq(renewals, 1);
    cr_expect_eq(kills, 0);
}

Test(watch, kills_no_relay_for_want_of_resources_of_its_own)
{
    settings.command = (char[]){""};
    answers = false;
    renewal_fails = true;
    run_until(359 * SECOND);
    cr_expect_eq(renewals, 1);
    cr_expect_eq(kills, 0);
    cr_expect(is_logged("cannot reconnect, for a reason that is not the relay's"));
}

Test(watch, reconnects_before_the_tokens_expire)
{
    settings.reconnect_every_ms = 10000;
    run_until(30 * SECOND);
    cr_expect_eq(renewals, 3);
    cr_expect_eq(renewed_ns, 24 * SECOND);
}

Test(watch, tries_again_when_it_cannot_reconnect)
{
    settings.reconnect_every_ms = 10000;
    renewal_fails = true;
    run_until(11 * SECOND);
    cr_expect_eq(renewals, 3, "at 8, 9 and 10 s");
}

Test(watch, excuses_what_arrives_late_because_it_could_not_run_itself)
{
    freeze_ns = 90 * SECOND;
    run_until(300 * SECOND);
    cr_expect_eq(freezes, FREEZES_MAX);
    cr_expect_eq(commands, 0);
    cr_expect_lt(probes, 50, "no messages are sent for the time in which none could be");
    cr_expect(is_logged("this monitor could not run: messages missed meanwhile do not count"));
}

Test(watch, reports_on_demand_and_goes_on)
{
    report_at_ns = 10 * SECOND;
    run_until(20 * SECOND);
    cr_expect_eq(probes, 10);
    expect_printed("sent 5, in time 5, ");
}

Test(watch, does_not_start_with_a_command_that_cannot_be_used)
{
    remedy_result = -E2BIG;
    cr_expect_eq(watch_run(&settings), 1);
    fflush(stderr);
    cr_expect_stderr_eq_str(
        "relay monitor: RELAY_MONITOR_COMMAND cannot be used: Argument list too long\n");
}

Test(watch, says_that_it_cannot_start)
{
    settings.insecure = true;
    cr_expect_eq(watch_run(&settings), 1);
    fflush(stderr);
    cr_expect_stderr_eq_str("relay monitor: cannot start: Resource temporarily unavailable\n");
}
