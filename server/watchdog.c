#include "server/watchdog.h"

#include "base/log.h"

enum { LOOKS = 4 }; /* in the time after which systemd gives up: two may find a worker waiting */

void watchdog_init(struct watchdog *watchdog, const struct notifier *notifier,
                   const struct worker_group *group, uint64_t now_ms)
{
    *watchdog = (struct watchdog){
        .notifier = notifier, .group = group, .due_ms = now_ms, .felt_ms = now_ms};
}

static void on_felt(struct watchdog *watchdog, uint64_t now_ms)
{
    notifier_alive(watchdog->notifier);
    watchdog->felt_ms = now_ms;
    if (watchdog->is_stuck) {
        log_warn("all workers turn again");
        watchdog->is_stuck = false;
    }
}

/* It may only be waiting: it turns every WAIT_MS_MAX. */
static void on_missed(struct watchdog *watchdog, uint64_t now_ms, unsigned worker)
{
    uint64_t silent_ms = now_ms - watchdog->felt_ms;

    if (!watchdog->is_stuck && silent_ms >= watchdog->notifier->watchdog_ms / 2) {
        log_error("a worker hangs; systemd starts the service again after WatchdogSec",
                  LOG_INT("worker", worker), LOG_INT("silent_ms", silent_ms));
        watchdog->is_stuck = true;
    }
}

uint64_t watchdog_look(struct watchdog *watchdog, uint64_t now_ms)
{
    unsigned stuck = 0;

    if (watchdog->notifier->watchdog_ms == 0) {
        return UINT64_MAX;
    }
    if (now_ms >= watchdog->due_ms) {
        if (pulse_feel(&watchdog->pulse, watchdog->group, &stuck)) {
            on_felt(watchdog, now_ms);
        } else {
            on_missed(watchdog, now_ms, stuck);
        }
        watchdog->due_ms = now_ms + watchdog->notifier->watchdog_ms / LOOKS + 1;
    }
    return watchdog->due_ms;
}
