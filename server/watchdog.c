#include "server/watchdog.h"

#include "base/log.h"

enum {
    LOOKS = 4,                                      /* in the time after which systemd gives up */
    LOOK_AGAIN_MS = WAIT_MS_MAX + 2 * PAUSE_MS_MIN, /* after a pause: each worker has turned */
};

void watchdog_init(struct watchdog *watchdog, const struct notifier *notifier,
                   const struct worker_group *group, uint64_t now_ms)
{
    *watchdog = (struct watchdog){.notifier = notifier, .group = group, .due_ms = now_ms};
}

static void on_turning(struct watchdog *watchdog)
{
    notifier_alive(watchdog->notifier);
    if (watchdog->is_stuck) {
        log_warn("all workers turn again");
        watchdog->is_stuck = false;
    }
}

static void on_stuck(struct watchdog *watchdog, unsigned worker)
{
    if (!watchdog->is_stuck) {
        log_error("a worker hangs; systemd starts the service again after WatchdogSec",
                  LOG_INT("worker", worker));
        watchdog->is_stuck = true;
    }
}

/* Returns how long to wait for the next look. */
static uint64_t look(struct watchdog *watchdog, uint64_t now_ms)
{
    bool is_late = now_ms >= watchdog->due_ms + PAUSE_MS_MIN;
    unsigned stuck;

    if (worker_group_turns(watchdog->group, run_clock_at(&watchdog->group->clock, now_ms),
                           &stuck)) {
        on_turning(watchdog);
    } else if (is_late) {
        /* It was the process that did not run, perhaps, and no worker has seen that yet: the run
         * clock goes on over the pause until one has. */
        return LOOK_AGAIN_MS;
    } else {
        on_stuck(watchdog, stuck);
    }
    return watchdog->notifier->watchdog_ms / LOOKS + 1;
}

uint64_t watchdog_look(struct watchdog *watchdog, uint64_t now_ms)
{
    if (watchdog->notifier->watchdog_ms == 0) {
        return UINT64_MAX;
    }
    if (now_ms >= watchdog->due_ms) {
        watchdog->due_ms = now_ms + look(watchdog, now_ms);
    }
    return watchdog->due_ms;
}
