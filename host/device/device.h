/* One device on its feed: what it says goes to the feed, and the feed's messages to it. It is
 * opened again when it fails: a serial adapter that was unplugged, a program that ended. Host's
 * thread only. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/list.h"
#include "host/device/device_rule.h"
#include "host/feed/feed.h"
#include "host/loop/loop.h"

enum device_times {
    DEVICE_RETRY_MS = 1000, /* the first wait; doubles up to: */
    DEVICE_RETRY_MAX_MS = 10000,
    DEVICE_HEALTHY_MS = 10000, /* after so long the waits begin anew */
    DEVICE_END_MS = 500,       /* for a program to end after SIGTERM; then SIGKILL */
};

struct device;

/* Takes over the rule, and opens the device at once. NULL: no memory, and the rule is released. */
MUST_USE struct device *device_create(struct loop *loop, struct feed_table *feeds,
                                      struct device_rule *rule, uint64_t queue_age_max_ms);

/* Ends its program, and waits for that at most DEVICE_END_MS. Accepts NULL. */
void device_destroy(struct device *device);
const struct device_rule *device_rule(const struct device *device);
bool device_is_open(const struct device *device);
