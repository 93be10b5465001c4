#include "base/systemd/notifier.h"

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

enum { STATE_SIZE = 96, MESSAGE_SIZE = NOTIFIER_STATUS_SIZE + STATE_SIZE + 16 };

/* "/path", or "@name" of the abstract namespace. */
static int address_parse(struct notifier *notifier, const char *text)
{
    size_t len = strlen(text);

    if ((text[0] != '/' && text[0] != '@') || len < 2 || len >= sizeof notifier->address.sun_path) {
        return -EINVAL;
    }
    notifier->address.sun_family = AF_UNIX;
    memcpy(notifier->address.sun_path, text, len);
    if (text[0] == '@') {
        notifier->address.sun_path[0] = '\0';
    }
    notifier->address_len = (socklen_t)(offsetof(struct sockaddr_un, sun_path) + len);
    return 0;
}

/* A child of the service inherits the environment, but is not the one that is watched. */
static uint64_t watchdog_ms(void)
{
    const char *usec = getenv("WATCHDOG_USEC");
    const char *pid = getenv("WATCHDOG_PID");

    if (usec == NULL || (pid != NULL && strtoll(pid, NULL, 10) != (long long)getpid())) {
        return 0;
    }
    return strtoull(usec, NULL, 10) / 1000;
}

static int open_socket(void)
{
    struct timeval wait = {.tv_sec = NOTIFIER_WAIT_MS / 1000};
    int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);

    if (fd < 0) {
        return -errno;
    }
    setsockopt(fd, SOL_SOCKET, SO_SNDTIMEO, &wait, sizeof wait);
    return fd;
}

int notifier_init(struct notifier *notifier)
{
    const char *address = getenv("NOTIFY_SOCKET");
    int failed = 0;

    *notifier = (struct notifier){.fd = -1};
    if (address != NULL && *address != '\0') {
        failed = address_parse(notifier, address);
        if (failed == 0) {
            notifier->fd = open_socket();
            failed = notifier->fd < 0 ? notifier->fd : 0;
        }
    }
    if (failed == 0 && notifier->fd >= 0) {
        notifier->watchdog_ms = watchdog_ms();
    }
    unsetenv("NOTIFY_SOCKET");
    unsetenv("WATCHDOG_USEC");
    unsetenv("WATCHDOG_PID");
    return failed;
}

void notifier_deinit(struct notifier *notifier)
{
    if (notifier->fd >= 0) {
        close(notifier->fd);
        notifier->fd = -1;
    }
}

/* systemd may be restarting itself: a message that does not arrive is no fault of the service. */
static void tell(const struct notifier *notifier, const char *message)
{
    if (notifier->fd >= 0) {
        sendto(notifier->fd, message, strlen(message), MSG_NOSIGNAL,
               (const struct sockaddr *)&notifier->address, notifier->address_len);
    }
}

static void tell_with_status(const struct notifier *notifier, const char *state, const char *status)
{
    char text[MESSAGE_SIZE];

    snprintf(text, sizeof text, "%.*s\nSTATUS=%.*s", STATE_SIZE, state, NOTIFIER_STATUS_SIZE,
             status == NULL ? "" : status);
    tell(notifier, status == NULL ? state : text);
}

void notifier_ready(const struct notifier *notifier, const char *status)
{
    tell_with_status(notifier, "READY=1", status);
}

/* With the time, systemd knows which of two reloads is over (Type=notify-reload). */
void notifier_reloading(const struct notifier *notifier)
{
    struct timespec now;
    char text[STATE_SIZE];

    clock_gettime(CLOCK_MONOTONIC, &now);
    snprintf(text, sizeof text, "RELOADING=1\nMONOTONIC_USEC=%llu",
             (unsigned long long)now.tv_sec * 1000000 + (unsigned long long)now.tv_nsec / 1000);
    tell_with_status(notifier, text, "reloading");
}

void notifier_stopping(const struct notifier *notifier)
{
    tell_with_status(notifier, "STOPPING=1", "stopping");
}

void notifier_status(const struct notifier *notifier, const char *status)
{
    char text[MESSAGE_SIZE];

    snprintf(text, sizeof text, "STATUS=%.*s", NOTIFIER_STATUS_SIZE, status);
    tell(notifier, text);
}

void notifier_main_pid(const struct notifier *notifier, pid_t pid)
{
    char text[STATE_SIZE];

    snprintf(text, sizeof text, "MAINPID=%lld", (long long)pid);
    tell(notifier, text);
}

static void write_address(const struct notifier *notifier, char *text, size_t size)
{
    const char *path = notifier->address.sun_path;
    bool is_abstract = path[0] == '\0';
    size_t len = notifier->address_len - offsetof(struct sockaddr_un, sun_path);

    snprintf(text, size, "NOTIFY_SOCKET=%s%.*s", is_abstract ? "@" : "",
             (int)(is_abstract ? len - 1 : len), is_abstract ? path + 1 : path);
}

void notifier_write_variables(const struct notifier *notifier, struct notifier_variables *variables)
{
    unsigned count = 0;

    *variables = (struct notifier_variables){0};
    if (notifier->fd < 0) {
        return;
    }
    write_address(notifier, variables->texts[count], sizeof variables->texts[count]);
    variables->list[count] = variables->texts[count];
    count++;
    if (notifier->watchdog_ms > 0) {
        snprintf(variables->texts[count], sizeof variables->texts[count], "WATCHDOG_USEC=%llu",
                 (unsigned long long)notifier->watchdog_ms * 1000);
        variables->list[count] = variables->texts[count];
    }
}

void notifier_alive(const struct notifier *notifier)
{
    tell(notifier, "WATCHDOG=1");
}
