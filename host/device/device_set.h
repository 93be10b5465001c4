/* The devices of a host, as the operator's file of rules lists them. Host's thread only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "host/device/device.h"

enum device_set_limits { DEVICE_SET_MAX = 32 };

struct device_set {
    struct loop *loop;
    struct feed_table *feeds;
    uint64_t queue_age_max_ms;
    struct device *all[DEVICE_SET_MAX];
    bool is_listed[DEVICE_SET_MAX]; /* by the reading that is under way */
    size_t count;
};

void device_set_init(struct device_set *set, struct loop *loop, struct feed_table *feeds,
                     uint64_t queue_age_max_ms);
void device_set_deinit(struct device_set *set);

/* One reading of the rules: begin, put each, end. Devices whose rule is the same stay open; those
 * that are listed no more are closed at the end. */
void device_set_begin(struct device_set *set);

/* Takes over the rule. False: no room, and the rule is released. */
bool device_set_put(struct device_set *set, struct device_rule *rule);
void device_set_end(struct device_set *set);
