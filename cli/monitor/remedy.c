#include "cli/monitor/remedy.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <spawn.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "base/bytes.h"

/* The command. */

static size_t name_len(const char *text)
{
    size_t len = 0;

    while (isalnum((unsigned char)text[len]) || text[len] == '_') {
        len++;
    }
    return len;
}

/* The name after a dollar sign; *ret_end is after it and its braces. Empty: no name, so the dollar
 * sign is literal. */
static struct bytes variable_name(const char *text, const char **ret_end)
{
    bool braced = *text == '{';
    const char *name = text + braced;
    size_t len = name_len(name);

    if (len == 0 || (braced && name[len] != '}')) {
        return bytes_of(NULL, 0);
    }
    *ret_end = name + len + braced;
    return bytes_of(name, len);
}

static const char *variable_value(struct bytes name)
{
    char text[256];
    const char *value = NULL;

    if (bytes_to_text(name, text, sizeof text) == 0) {
        value = getenv(text);
    }
    return value == NULL ? "" : value;
}

/* False when it does not fit. */
static bool append(char *text, size_t *len, const char *more, size_t more_len)
{
    if (more_len >= REMEDY_BYTES_MAX - *len) {
        return false;
    }
    memcpy(text + *len, more, more_len);
    *len += more_len;
    text[*len] = '\0';
    return true;
}

static bool expand(const char *command, char *text)
{
    size_t len = 0;

    text[0] = '\0';
    while (*command != '\0') {
        const char *end = command;
        struct bytes name = {0};

        if (*command == '$') {
            name = variable_name(command + 1, &end);
        }
        if (name.len == 0) {
            if (!append(text, &len, command++, 1)) {
                return false;
            }
            continue;
        }
        const char *value = variable_value(name);

        if (!append(text, &len, value, strlen(value))) {
            return false;
        }
        command = end;
    }
    return true;
}

static int split(struct remedy *remedy)
{
    char *rest = remedy->text;
    char *word;

    while ((word = strtok_r(rest, " \t\r\n\v\f", &rest)) != NULL) {
        if (remedy->words_count == REMEDY_WORDS_MAX) {
            return -E2BIG;
        }
        remedy->words[remedy->words_count++] = word;
    }
    remedy->words[remedy->words_count] = NULL;
    return 0;
}

int remedy_init(struct remedy *remedy, const char *command)
{
    *remedy = (struct remedy){.text = malloc(REMEDY_BYTES_MAX)};
    if (remedy->text == NULL) {
        return -ENOMEM;
    }
    int failed = expand(command == NULL ? "" : command, remedy->text) ? split(remedy) : -E2BIG;

    if (failed != 0) {
        remedy_deinit(remedy);
    }
    return failed;
}

void remedy_deinit(struct remedy *remedy)
{
    free(remedy->text);
    *remedy = (struct remedy){0};
}

int remedy_run(const struct remedy *remedy, pid_t *ret_pid)
{
    posix_spawnattr_t attributes;
    sigset_t none, ignored;
    int failed = posix_spawnattr_init(&attributes);

    if (failed != 0) {
        return -failed;
    }
    sigemptyset(&none);
    sigemptyset(&ignored);
    sigaddset(&ignored, SIGPIPE);
    /* A signal blocked or ignored here would stay so in the command and its children. The group
     * keeps Ctrl-C at the monitor from interrupting a restart. */
    posix_spawnattr_setsigmask(&attributes, &none);
    posix_spawnattr_setsigdefault(&attributes, &ignored);
    posix_spawnattr_setpgroup(&attributes, 0);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF |
                                              POSIX_SPAWN_SETPGROUP);
    failed = posix_spawnp(ret_pid, remedy->words[0], NULL, &attributes, remedy->words, environ);
    posix_spawnattr_destroy(&attributes);
    return -failed;
}

/* The processes. */

static bool is_relay_serve(const char *arguments, size_t len)
{
    size_t first_len = strnlen(arguments, len);
    const char *name = memrchr(arguments, '/', first_len);
    const char *second = arguments + first_len + 1;

    if (first_len + 1 >= len) {
        return false;
    }
    return strcmp(name == NULL ? arguments : name + 1, "relay") == 0 &&
           strncmp(second, "serve", len - first_len - 1) == 0;
}

static bool process_matches(int proc_fd, const char *pid)
{
    char path[64];
    char arguments[PATH_MAX + 16];

    snprintf(path, sizeof path, "%s/cmdline", pid);
    int fd = openat(proc_fd, path, O_RDONLY | O_CLOEXEC);

    if (fd < 0) {
        return false;
    }
    ssize_t len = read(fd, arguments, sizeof arguments - 1);

    close(fd);
    if (len <= 0) {
        return false;
    }
    arguments[len] = '\0';
    return is_relay_serve(arguments, (size_t)len + 1);
}

enum kill_result { KILL_NO_MATCH, KILL_DONE, KILL_FAILED };

/* The pidfd is opened before the arguments are read, so the process id cannot have been reused in
 * between. */
static enum kill_result process_kill(int proc_fd, const char *name)
{
    uint64_t pid;

    if (bytes_to_uint64(bytes_of_text(name), &pid) != 0 || pid > INT_MAX || pid == 0) {
        return KILL_NO_MATCH;
    }
    int pid_fd = (int)syscall(SYS_pidfd_open, (pid_t)pid, 0);

    if (pid_fd < 0) {
        return KILL_NO_MATCH; /* it has ended */
    }
    enum kill_result result = KILL_NO_MATCH;

    if (process_matches(proc_fd, name)) {
        long failed = syscall(SYS_pidfd_send_signal, pid_fd, SIGKILL, NULL, 0);

        result = failed == 0 ? KILL_DONE : KILL_FAILED;
    }
    close(pid_fd);
    return result;
}

unsigned remedy_kill_relays(const char *proc, unsigned *ret_failed)
{
    unsigned killed = 0;
    DIR *folder = opendir(proc);
    const struct dirent *entry;

    *ret_failed = 0;
    if (folder == NULL) {
        return 0;
    }
    while ((entry = readdir(folder)) != NULL) {
        enum kill_result result = process_kill(dirfd(folder), entry->d_name);

        killed += result == KILL_DONE;
        *ret_failed += result == KILL_FAILED;
    }
    closedir(folder);
    return killed;
}
