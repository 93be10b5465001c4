/* Tells systemd of a service with Type=notify: that it is ready, reloads or stops, a line for
 * `systemctl status`, and that it is alive (sd_notify(3), in the few lines that it takes). Without
 * NOTIFY_SOCKET each call does nothing. One thread at a time. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/types.h>
#include <sys/un.h>

#include "base/attributes.h"

enum notifier_limits {
    NOTIFIER_STATUS_SIZE = 256,
    NOTIFIER_VARIABLES = 2,
    NOTIFIER_VARIABLE_SIZE = 160, /* the path of a socket has 107 bytes at most */
    NOTIFIER_WAIT_MS = 1000,      /* for room in systemd's socket; then the message is lost */
};

struct notifier {
    int fd; /* -1: no service of systemd */
    socklen_t address_len;
    struct sockaddr_un address;
    uint64_t watchdog_ms; /* the service is ended when nothing was heard for so long; 0: never */
};

/* From NOTIFY_SOCKET, WATCHDOG_USEC and WATCHDOG_PID, which leave the environment: programs that
 * this process starts must not speak for it. Before threads exist. 0, or -errno: the address is
 * none, or there is no socket for it. A notifier that failed does nothing. */
MUST_USE int notifier_init(struct notifier *notifier);
void notifier_deinit(struct notifier *notifier);

/* After the start, and after a reload. status: a line without control characters, or NULL. */
void notifier_ready(const struct notifier *notifier, const char *status);
void notifier_reloading(const struct notifier *notifier);
void notifier_stopping(const struct notifier *notifier);
void notifier_status(const struct notifier *notifier, const char *status);

/* Another process, of this service, is its main one from now on; systemd hears only of the main
 * one.
 */
void notifier_main_pid(const struct notifier *notifier, pid_t pid);

/* The variables ("NAME=value") by which a process that is to become the main one finds systemd;
 * none without a service. */
struct notifier_variables {
    char texts[NOTIFIER_VARIABLES][NOTIFIER_VARIABLE_SIZE];
    char *list[NOTIFIER_VARIABLES + 1]; /* up to NULL */
};
void notifier_write_variables(const struct notifier *notifier,
                              struct notifier_variables *variables);

/* To be called at least every half of watchdog_ms, while all is well. */
void notifier_alive(const struct notifier *notifier);
