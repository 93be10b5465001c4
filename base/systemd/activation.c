#include "base/systemd/activation.h"

#include <errno.h>
#include <fcntl.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { FIRST_FD = 3, DECIMAL = 10 };

static bool number_parse(const char *text, long *ret_number)
{
    char *end;

    errno = 0;
    *ret_number = strtol(text, &end, DECIMAL);
    return errno == 0 && end != text && *end == '\0' && *ret_number >= 0;
}

/* Name number index of "a:b:c"; empty where there is none. */
static void name_copy(const char *names, unsigned index, char name[static ACTIVATION_NAME_SIZE])
{
    name[0] = '\0';
    for (; names != NULL && index > 0; index--) {
        names = strchr(names, ':');
        names = names == NULL ? NULL : names + 1;
    }
    if (names != NULL) {
        size_t len = strcspn(names, ":");

        len = len < ACTIVATION_NAME_SIZE ? len : ACTIVATION_NAME_SIZE - 1;
        memcpy(name, names, len);
        name[len] = '\0';
    }
}

static int take(struct activation *activation)
{
    const char *pid_text = getenv("LISTEN_PID");
    const char *count_text = getenv("LISTEN_FDS");
    long pid, count;

    if (pid_text == NULL || count_text == NULL || *count_text == '\0') {
        return 0;
    }
    if (!number_parse(pid_text, &pid) || !number_parse(count_text, &count)) {
        return -EINVAL;
    }
    if (pid != (long)getpid()) {
        return 0;
    }
    if (count > ACTIVATION_SOCKETS_MAX) {
        return -E2BIG;
    }
    for (int i = 0; i < (int)count; i++) {
        if (fcntl(FIRST_FD + i, F_SETFD, FD_CLOEXEC) != 0) {
            return -EINVAL;
        }
        activation->sockets[i].fd = FIRST_FD + i;
        name_copy(getenv("LISTEN_FDNAMES"), (unsigned)i, activation->sockets[i].name);
    }
    activation->count = (unsigned)count;
    return 0;
}

int activation_take(struct activation *activation)
{
    *activation = (struct activation){0};
    int failed = take(activation);

    unsetenv("LISTEN_PID");
    unsetenv("LISTEN_FDS");
    unsetenv("LISTEN_FDNAMES");
    return failed;
}

void activation_close(struct activation *activation)
{
    for (unsigned i = 0; i < activation->count; i++) {
        if (activation->sockets[i].fd >= 0) {
            close(activation->sockets[i].fd);
            activation->sockets[i].fd = -1;
        }
    }
}
