/* Sockets that systemd opened for this service (socket units; sd_listen_fds(3), in the few lines
 * that it takes): ports below 1024 without a capability. Main thread, before others exist. */
#pragma once

#include "base/attributes.h"

enum activation_limits {
    ACTIVATION_SOCKETS_MAX = 16,
    ACTIVATION_NAME_SIZE = 32, /* longer names are cut off: they are none of ours */
};

struct activation {
    unsigned count;
    struct activation_socket {
        int fd;                          /* -1 when its new owner has taken it */
        char name[ACTIVATION_NAME_SIZE]; /* FileDescriptorName=, or the unit's name; "" unknown */
    } sockets[ACTIVATION_SOCKETS_MAX];
};

/* From LISTEN_FDS, LISTEN_FDNAMES and LISTEN_PID, which leave the environment. The descriptors are
 * closed on exec from then on. None if the variables are missing or for another process. 0, or
 * -EINVAL when they make no sense, -E2BIG when there are more than ACTIVATION_SOCKETS_MAX. */
MUST_USE int activation_take(struct activation *activation);

/* Closes those that were not taken. */
void activation_close(struct activation *activation);
