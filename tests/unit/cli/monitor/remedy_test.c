/* Goal: commands become words without a shell; only relays are killed. Method: words compared;
 * real child processes; a made-up /proc whose entries name children of the test. */
#include "cli/monitor/remedy.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/attributes.h"

Test(remedy, expands_variables_and_splits_at_white_space)
{
    static const struct {
        const char *command;
        const char *words[5];
    } cases[] = {
        {NULL, {NULL}},
        {"", {NULL}},
        {" \t\n", {NULL}},
        {"true", {"true"}},
        {"  systemctl   restart\trelay \n", {"systemctl", "restart", "relay"}},
        {"echo 'latency exceeded'", {"echo", "'latency", "exceeded'"}},
        {"a;b|c >d", {"a;b|c", ">d"}},
        {"$ONE", {"1"}},
        {"x${ONE}y$ONE/$ONE.z", {"x1y1/1.z"}},
        {"$TWO_WORDS $TWO_WORDS", {"a", "b", "a", "b"}},
        {"a $UNSET ${UNSET}b", {"a", "b"}},
        {"$ $$ $. ${ ${} ", {"$", "$$", "$.", "${", "${}"}},
        {"${ONE $ONE", {"${ONE", "1"}},
        {"$ONEMORE$ONE", {"1"}},
        {"$DOLLAR", {"$ONE"}},
    };

    setenv("ONE", "1", 1);
    setenv("TWO_WORDS", "a b", 1);
    setenv("DOLLAR", "$ONE", 1);
    unsetenv("UNSET");
    unsetenv("ONEMORE");
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct remedy remedy;
        size_t count = 0;

        while (count < ARRAY_LENGTH(cases[i].words) && cases[i].words[count] != NULL) {
            count++;
        }
        cr_assert_eq(remedy_init(&remedy, cases[i].command), 0);
        cr_assert_eq(remedy.words_count, count, "%s", cases[i].command);
        for (size_t j = 0; j < count; j++) {
            cr_expect_str_eq(remedy.words[j], cases[i].words[j], "%s", cases[i].command);
        }
        cr_expect_null(remedy.words[count]);
        remedy_deinit(&remedy);
        remedy_deinit(&remedy);
    }
}

Test(remedy, refuses_commands_beyond_its_bounds)
{
    char *text = malloc(REMEDY_BYTES_MAX + 1);
    struct remedy remedy;

    memset(text, 'x', REMEDY_BYTES_MAX);
    text[REMEDY_BYTES_MAX - 1] = '\0';
    cr_assert_eq(remedy_init(&remedy, text), 0);
    remedy_deinit(&remedy);
    text[REMEDY_BYTES_MAX - 1] = 'x';
    text[REMEDY_BYTES_MAX] = '\0';
    cr_assert_eq(remedy_init(&remedy, text), -E2BIG);
    text[REMEDY_BYTES_MAX - 1] = '\0';
    setenv("LONG", text, 1);
    cr_assert_eq(remedy_init(&remedy, "a $LONG"), -E2BIG);
    for (size_t i = 0; i < 2 * REMEDY_WORDS_MAX; i += 2) {
        memcpy(text + i, "w ", 2);
    }
    text[(size_t)2 * REMEDY_WORDS_MAX] = '\0';
    cr_assert_eq(remedy_init(&remedy, text), 0);
    cr_assert_eq(remedy.words_count, REMEDY_WORDS_MAX);
    remedy_deinit(&remedy);
    memcpy(text + (size_t)2 * REMEDY_WORDS_MAX, "w", 2);
    cr_assert_eq(remedy_init(&remedy, text), -E2BIG);
    free(text);
}

static int run_to_end(const char *command)
{
    struct remedy remedy;
    pid_t pid;
    int status = 0;

    cr_assert_eq(remedy_init(&remedy, command), 0);
    cr_assert_eq(remedy_run(&remedy, &pid), 0);
    cr_assert_eq(getpgid(pid), pid);
    cr_assert_eq(waitpid(pid, &status, 0), pid);
    remedy_deinit(&remedy);
    cr_assert(WIFEXITED(status));
    return WEXITSTATUS(status);
}

Test(remedy, runs_the_command_and_leaves_no_signal_blocked_or_ignored)
{
    sigset_t all;

    cr_assert_eq(run_to_end("true"), 0);
    cr_assert_eq(run_to_end("false"), 1);
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, NULL);
    signal(SIGPIPE, SIG_IGN);
    cr_assert_eq(run_to_end("grep -qE ^SigBlk:.0000000000000000$ /proc/self/status"), 0);
    /* The C library keeps two signals beyond the first 31 for itself. */
    cr_assert_eq(run_to_end("grep -qE ^SigIgn:.0000000[0-3][08]0000000$ /proc/self/status"), 0);
}

Test(remedy, says_when_there_is_no_such_program)
{
    struct remedy remedy;
    pid_t pid;

    cr_assert_eq(remedy_init(&remedy, "no-such-program-anywhere --now"), 0);
    cr_assert_eq(remedy_run(&remedy, &pid), -ENOENT);
    remedy_deinit(&remedy);
}

/* A child that waits to be killed, as a process with such arguments in the made-up /proc. */
static pid_t process_add(const char *proc, const void *arguments, size_t len)
{
    char path[256];
    pid_t pid = fork();

    if (pid == 0) {
        pause();
        _exit(0);
    }
    snprintf(path, sizeof path, "%s/%d", proc, (int)pid);
    cr_assert_eq(mkdir(path, 0700), 0);
    snprintf(path, sizeof path, "%s/%d/cmdline", proc, (int)pid);
    int fd = open(path, O_WRONLY | O_CREAT, 0600);

    cr_assert_eq(write(fd, arguments, len), (ssize_t)len);
    close(fd);
    return pid;
}

static void folder_remove(const char *folder)
{
    char command[] = "rm";
    char option[] = "-rf";
    char *arguments[] = {command, option, strdup(folder), NULL};
    struct remedy remedy = {.words = {arguments[0], arguments[1], arguments[2]}};
    pid_t pid;

    cr_assert_eq(remedy_run(&remedy, &pid), 0);
    cr_assert_eq(waitpid(pid, NULL, 0), pid);
    free(arguments[2]);
}

Test(remedy, kills_relays_and_nothing_else)
{
    static const struct {
        const char *arguments;
        size_t len;
        bool killed;
    } cases[] = {
#define ARGUMENTS(text) text, sizeof(text) - 1 + 1
        {ARGUMENTS("relay\0serve"), true},
        {ARGUMENTS("/usr/bin/relay\0serve\0--port-access\0"
                   "0"),
         true},
        {ARGUMENTS("./relay\0serve"), true},
        {ARGUMENTS("relay\0monitor"), false},
        {ARGUMENTS("relay\0server"), false},
        {ARGUMENTS("relay\0serv"), false},
        {ARGUMENTS("relay"), false},
        {ARGUMENTS("relay serve"), false},
        {ARGUMENTS("my-relay\0serve"), false},
        {ARGUMENTS("/opt/relay/bin\0serve"), false},
        {ARGUMENTS("vi\0relay\0serve"), false},
        {ARGUMENTS("sh\0-c\0relay serve"), false},
        {ARGUMENTS(""), false},
        {"", 0, false},
#undef ARGUMENTS
    };
    char proc[] = "/tmp/remedy_test.XXXXXX";
    pid_t pids[ARRAY_LENGTH(cases)];
    unsigned failed = 99;

    cr_assert_not_null(mkdtemp(proc));
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        pids[i] = process_add(proc, cases[i].arguments, cases[i].len);
    }
    cr_assert_eq(remedy_kill_relays(proc, &failed), 3);
    cr_assert_eq(failed, 0);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        int status;

        if (!cases[i].killed) {
            cr_expect_eq(waitpid(pids[i], &status, WNOHANG), 0, "%zu", i);
            kill(pids[i], SIGTERM);
        }
        cr_assert_eq(waitpid(pids[i], &status, 0), pids[i]);
        cr_expect_eq(WTERMSIG(status), cases[i].killed ? SIGKILL : SIGTERM, "%zu", i);
    }
    folder_remove(proc);
}

Test(remedy, passes_over_what_is_no_process)
{
    char proc[] = "/tmp/remedy_test.XXXXXX";
    static const char *const names[] = {"self", "0", "-1", "99999999999", "1x"};
    unsigned failed = 99;

    cr_assert_not_null(mkdtemp(proc));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        char path[256];

        snprintf(path, sizeof path, "%s/%s", proc, names[i]);
        cr_assert_eq(mkdir(path, 0700), 0);
    }
    cr_assert_eq(remedy_kill_relays(proc, &failed), 0);
    cr_assert_eq(failed, 0);
    folder_remove(proc);
    cr_assert_eq(remedy_kill_relays(proc, &failed), 0);
}
