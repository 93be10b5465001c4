#include "host-gst/sink/sink_drop.h"

#include "base/check.h"

enum { NS_PER_MS = 1000000 };

void sink_drop_init(struct sink_drop *drop)
{
    *drop = (struct sink_drop){.independent = false};
}

bool sink_drop_see(struct sink_drop *drop, bool independent)
{
    bool changed = drop->independent != independent;

    drop->independent = independent;
    return changed;
}

/* Pictures and data may drop the oldest, while a video must resume with a keyframe. */
static enum relay_client_drop choose(const struct sink_drop *drop,
                                     const struct sink_settings *settings)
{
    switch ((enum sink_drop_policy)settings->drop_policy) {
    case SINK_DROP_KEYFRAME:
        return drop->independent ? RELAY_CLIENT_DROP_OLDEST : RELAY_CLIENT_DROP_KEYFRAME;
    case SINK_DROP_OLDEST:
        return RELAY_CLIENT_DROP_OLDEST;
    case SINK_DROP_NEWEST:
        return RELAY_CLIENT_DROP_NEWEST;
    case SINK_DROP_NONE:
        return RELAY_CLIENT_DROP_NONE;
    }
    UNREACHABLE();
}

void sink_drop_limits(const struct sink_drop *drop, const struct sink_settings *settings,
                      struct sink_drop_limits *ret_limits)
{
    bool waits = settings->wait_for_connection || settings->drop_policy == SINK_DROP_NONE;
    /* With waiting for room, everything is to arrive, however late. */
    uint64_t age_ns = waits ? 0 : settings->max_queue_time_ns;

    *ret_limits = (struct sink_drop_limits){
        .drop = waits ? RELAY_CLIENT_DROP_NONE : choose(drop, settings),
        .bytes_max = settings->max_queue_bytes,
        .age_max_ms = age_ns / NS_PER_MS + (age_ns % NS_PER_MS != 0),
        .waits = waits,
        .on_demand = settings->publish == SINK_PUBLISH_ON_DEMAND,
        .waits_for_connection = settings->wait_for_connection,
    };
}
