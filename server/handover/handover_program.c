#include "server/handover/handover_program.h"

#include <ctype.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/check.h"
#include "base/clock.h"
#include "server/handover/handover_channel.h"

enum { SOCKET_FD = 3, VARIABLE_SIZE = 64 };

/* Behind the path of a file that was removed or replaced. */
static const char deleted[] = " (deleted)";

void handover_program_init(struct handover_program *program, int argc, char **argv)
{
    struct stat info;

    *program = (struct handover_program){.argc = argc, .argv = argv};
    ssize_t len = readlink("/proc/self/exe", program->path, sizeof program->path - 1);

    if (len <= 0 || stat("/proc/self/exe", &info) != 0) {
        program->path[0] = '\0';
        return;
    }
    program->path[len] = '\0';
    char *end = strstr(program->path, deleted);

    if (end != NULL && strcmp(end, deleted) == 0) {
        *end = '\0'; /* the next one stands there */
    }
    program->device = info.st_dev;
    program->inode = info.st_ino;
}

bool handover_program_is_changed(const struct handover_program *program)
{
    struct stat info;

    return program->path[0] != '\0' && stat(program->path, &info) == 0 &&
           (info.st_dev != program->device || info.st_ino != program->inode);
}

/* The command with its flags, and one more of ours. */
static bool list_arguments(const struct handover_program *program, char *more,
                           char *arguments[static HANDOVER_ARGUMENTS_MAX])
{
    size_t count = 0;

    if (program->argc + 3 > HANDOVER_ARGUMENTS_MAX) {
        return false;
    }
    arguments[count++] = (char *)(uintptr_t)program->path;
    for (int i = 0; i < program->argc; i++) {
        arguments[count++] = program->argv[i];
    }
    arguments[count++] = more;
    arguments[count] = NULL;
    return true;
}

static bool list_variables(char *const *more, char *variables[static HANDOVER_VARIABLES_MAX])
{
    char *const *const lists[] = {environ, more};
    size_t count = 0;

    for (size_t list = 0; list < 2; list++) {
        for (char *const *variable = lists[list]; variable != NULL && *variable != NULL;
             variable++) {
            if (count + 1 >= HANDOVER_VARIABLES_MAX) {
                return false;
            }
            variables[count++] = *variable;
        }
    }
    variables[count] = NULL;
    return true;
}

struct start {
    char *argument;         /* one more, or NULL */
    char *const *variables; /* more, or NULL */
    int from, to;           /* a descriptor that it gets, and as which */
    int errors;             /* the same as its standard error, or -1 */
};

static int start(const struct handover_program *program, const struct start *start, pid_t *ret_pid)
{
    char *arguments[HANDOVER_ARGUMENTS_MAX], *variables[HANDOVER_VARIABLES_MAX];
    posix_spawn_file_actions_t actions;

    if (program->path[0] == '\0') {
        return -ENOENT;
    }
    if (!list_arguments(program, start->argument, arguments) ||
        !list_variables(start->variables, variables)) {
        return -E2BIG;
    }
    if (posix_spawn_file_actions_init(&actions) != 0) {
        return -ENOMEM;
    }
    int failed = posix_spawn_file_actions_adddup2(&actions, start->from, start->to);

    if (failed == 0 && start->errors >= 0) {
        failed = posix_spawn_file_actions_adddup2(&actions, start->errors, STDERR_FILENO);
    }
    failed = failed == 0 ? posix_spawn(ret_pid, program->path, &actions, NULL, arguments, variables)
                         : failed;
    posix_spawn_file_actions_destroy(&actions);
    return -failed;
}

/* One line of what it said, without control characters. */
static void make_line(char *said)
{
    size_t len = strlen(said);

    while (len > 0 && isspace((unsigned char)said[len - 1])) {
        said[--len] = '\0';
    }
    for (char *c = said; *c != '\0'; c++) {
        *c = iscntrl((unsigned char)*c) ? ' ' : *c;
    }
}

/* Until the program closes its output, which its end does. What does not fit is thrown away. */
static int read_all(int fd, const struct handover_wait *wait, char said[static HANDOVER_SAID_SIZE])
{
    size_t used = 0;
    int failed;

    while ((failed = handover_wait_for(wait, fd, POLLIN)) == 0) {
        char rest[HANDOVER_SAID_SIZE];
        bool fits = used + 1 < HANDOVER_SAID_SIZE;
        ssize_t len =
            read(fd, fits ? said + used : rest, fits ? HANDOVER_SAID_SIZE - 1 - used : sizeof rest);

        if (len <= 0) {
            failed = len == 0 ? 0 : -errno;
            break;
        }
        used += fits ? (size_t)len : 0;
        if (clock_monotonic_ms() >= wait->deadline_ms) {
            failed = -ETIMEDOUT; /* it says more and more */
            break;
        }
    }
    said[used] = '\0';
    make_line(said);
    return failed;
}

static int reap(pid_t pid)
{
    int status = -1;

    while (waitpid(pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

/* One that closes its output may go on for ever. */
static int await_end(pid_t pid, const struct handover_wait *wait, int *ret_status)
{
    int failed = 0;

    while (failed == 0 && waitpid(pid, ret_status, WNOHANG) == 0) {
        failed = handover_wait_a_moment(wait);
        if (failed == 0 && clock_monotonic_ms() >= wait->deadline_ms) {
            failed = -ETIMEDOUT;
        }
    }
    if (failed != 0) {
        kill(pid, SIGKILL);
        reap(pid);
    }
    return failed;
}

int handover_program_check(const struct handover_program *program, const struct handover_wait *wait,
                           char said[static HANDOVER_SAID_SIZE])
{
    static char flag[] = "--check-config";
    int fds[2];
    pid_t pid = 0;

    if (pipe2(fds, O_CLOEXEC) != 0) {
        return -errno;
    }
    int failed = start(
        program,
        &(struct start){.argument = flag, .from = fds[1], .to = STDOUT_FILENO, .errors = fds[1]},
        &pid);

    close(fds[1]);
    if (failed == 0) {
        int status = -1;

        CHECK(pid > 0); /* or all of the group would be meant */

        failed = read_all(fds[0], wait, said);
        if (failed != 0) {
            kill(pid, SIGKILL);
            reap(pid);
        } else {
            failed = await_end(pid, wait, &status);
        }
        failed = failed == 0 && status != 0 ? -EINVAL : failed;
    }
    close(fds[0]);
    return failed;
}

int handover_program_start(const struct handover_program *program, int channel_fd,
                           char *const *variables, pid_t *ret_pid)
{
    char socket[VARIABLE_SIZE];
    char *more[HANDOVER_VARIABLES_MAX] = {socket};
    size_t count = 1;

    snprintf(socket, sizeof socket, HANDOVER_SOCKET "=%d", SOCKET_FD);
    for (; variables != NULL && *variables != NULL && count + 1 < HANDOVER_VARIABLES_MAX;
         variables++) {
        more[count++] = *variables;
    }
    return start(
        program,
        &(struct start){.variables = more, .from = channel_fd, .to = SOCKET_FD, .errors = -1},
        ret_pid);
}

void handover_program_end(pid_t pid)
{
    kill(pid, SIGKILL);
    reap(pid);
}
