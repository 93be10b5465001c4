/* The "stats" property of relaysink as a structure. Any thread; never blocks. */
#pragma once

#include <gst/gst.h>

#include "client/relay_client.h"

/* keyframe_requests: events sent upstream. base: the statistics of GstBaseSink, owned from now on
 * and freed. */
GstStructure *sink_statistics_structure(const struct relay_client_statistics *statistics,
                                        guint64 keyframe_requests, GstStructure *base);
