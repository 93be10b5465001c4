/* Tells systemd that the server is alive, for as long as every worker turns its loop, by the rule
 * of /healthz (worker_group_turns): one that hangs is noticed, and the service started again
 * (WatchdogSec= of its unit). Main thread only. */
#pragma once

#include <stdint.h>

#include "base/systemd/notifier.h"
#include "server/loop/worker.h"

struct watchdog {
    const struct notifier *notifier;
    const struct worker_group *group;
    uint64_t due_ms; /* of clock_monotonic_ms: the next look */
    bool is_stuck;   /* said in the log */
};

/* The parts stay the caller's. */
void watchdog_init(struct watchdog *watchdog, const struct notifier *notifier,
                   const struct worker_group *group, uint64_t now_ms);

/* Looks if that is due; now_ms of clock_monotonic_ms. Returns when the next look is; UINT64_MAX:
 * never, nothing watches. */
uint64_t watchdog_look(struct watchdog *watchdog, uint64_t now_ms);
