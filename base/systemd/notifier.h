/* Tells systemd of a service with Type=notify: that it is ready, reloads or stops, a line for
 * `systemctl status`, and that it is alive (sd_notify(3), in the few lines that it takes). Without
 * NOTIFY_SOCKET each call does nothing. One thread at a time. */
#pragma once

#include <stdint.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/attributes.h"

enum notifier_limits {
    NOTIFIER_STATUS_SIZE = 256,
    NOTIFIER_WAIT_MS = 1000, /* for room in systemd's socket; then the message is lost */
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

/* To be called at least every half of watchdog_ms, while all is well. */
void notifier_alive(const struct notifier *notifier);
