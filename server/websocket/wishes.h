/* The wishes of a viewer in the query of its WebSocket URI, with the names of GStreamer's
 * multihandlesink: join=latest-keyframe, next-keyframe or latest; recover=keyframe, latest or none;
 * max-age=milliseconds. The operator's bounds
 * hold all the same. Values that are not known are ignored, as unknown parameters are. Pure. */
#pragma once

#include "base/bytes.h"
#include "server/hub/lag/lag.h"
#include "server/hub/stream_join.h"

enum wishes_limits { WISHES_AGE_MS_MAX = 3600 * 1000 };

struct wishes {
    enum stream_join_mode join;
    enum lag_recovery recovery;
    uint32_t age_ms_max; /* 0: not asked for */
};

/* The first of each name counts. */
struct wishes wishes_of(struct bytes query);
