#include "server/handover/handover_wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "base/clock.h"

int handover_wait_for(const struct handover_wait *wait, int fd, short events)
{
    for (;;) {
        uint64_t now_ms = clock_monotonic_ms();

        if (wait->go_on != NULL && !wait->go_on(wait->context)) {
            return -ECANCELED;
        }
        if (now_ms >= wait->deadline_ms) {
            return -ETIMEDOUT;
        }
        uint64_t left_ms = wait->deadline_ms - now_ms;
        struct pollfd polled = {.fd = fd, .events = events};
        int ready = poll(&polled, 1, left_ms < HANDOVER_LOOK_MS ? (int)left_ms : HANDOVER_LOOK_MS);

        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
    }
}
