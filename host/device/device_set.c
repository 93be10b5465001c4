#include "host/device/device_set.h"

#include <string.h>

void device_set_init(struct device_set *set, struct loop *loop, struct feed_table *feeds,
                     uint64_t queue_age_max_ms)
{
    *set = (struct device_set){.loop = loop, .feeds = feeds, .queue_age_max_ms = queue_age_max_ms};
}

void device_set_begin(struct device_set *set)
{
    memset(set->is_listed, 0, sizeof set->is_listed);
}

bool device_set_put(struct device_set *set, struct device_rule *rule)
{
    for (size_t i = 0; i < set->count; i++) {
        if (!set->is_listed[i] && device_rule_equals(device_rule(set->all[i]), rule)) {
            set->is_listed[i] = true;
            device_rule_release(rule);
            return true;
        }
    }
    if (set->count == DEVICE_SET_MAX) {
        device_rule_release(rule);
        return false;
    }
    struct device *device = device_create(set->loop, set->feeds, rule, set->queue_age_max_ms);

    if (device == NULL) {
        return false;
    }
    set->all[set->count] = device;
    set->is_listed[set->count] = true;
    set->count++;
    return true;
}

void device_set_end(struct device_set *set)
{
    size_t kept = 0;

    for (size_t i = 0; i < set->count; i++) {
        if (set->is_listed[i]) {
            set->all[kept++] = set->all[i];
        } else {
            device_destroy(set->all[i]);
        }
    }
    set->count = kept;
}

void device_set_deinit(struct device_set *set)
{
    device_set_begin(set);
    device_set_end(set);
}
