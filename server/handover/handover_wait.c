#include "server/handover/handover_wait.h"

#include <errno.h>
#include <poll.h>
#include <stddef.h>

#include "base/clock.h"

static int milliseconds(uint64_t left_ms)
{
    return left_ms < HANDOVER_LOOK_MS ? (int)left_ms : HANDOVER_LOOK_MS;
}

int handover_wait_for(const struct handover_wait *wait, int fd, short events)
{
    struct pollfd polled = {.fd = fd, .events = events};

    for (;;) {
        uint64_t now_ms = clock_monotonic_ms();
        uint64_t left_ms = wait->deadline_ms > now_ms ? wait->deadline_ms - now_ms : 0;

        if (wait->go_on != NULL && !wait->go_on(wait->context)) {
            return -ECANCELED;
        }
        int ready = poll(&polled, 1, milliseconds(left_ms));

        if (ready > 0) {
            return 0;
        }
        if (ready < 0 && errno != EINTR) {
            return -errno;
        }
        if (left_ms == 0) {
            return -ETIMEDOUT;
        }
    }
}

int handover_wait_a_moment(const struct handover_wait *wait)
{
    const struct handover_wait pause = {.deadline_ms = clock_monotonic_ms() + HANDOVER_PAUSE_MS,
                                        .go_on = wait->go_on,
                                        .context = wait->context};
    int failed = handover_wait_for(&pause, -1, 0);

    return failed == -ETIMEDOUT ? 0 : failed;
}
