#include "host-gst/sink/sink_statistics.h"

#include "host-gst/link/figures.h"

static guint64 base_count(const GstStructure *base, const char *field)
{
    guint64 count = 0;

    gst_structure_get_uint64(base, field, &count);
    return count;
}

GstStructure *sink_statistics_structure(const struct relay_client_statistics *statistics,
                                        guint64 keyframe_requests, GstStructure *base)
{
    const struct figure figures[] = {
        {"rendered", base_count(base, "rendered")},
        {"dropped", base_count(base, "dropped")},
        {"messages-sent", statistics->messages_sent},
        {"bytes-sent", statistics->bytes_sent},
        {"keyframes-sent", statistics->random_access_sent},
        {"keyframe-requests", keyframe_requests},
        {"messages-dropped", statistics->messages_dropped},
        {"bytes-dropped", statistics->bytes_dropped},
        {"drops-disconnected", statistics->drops_disconnected},
        {"drops-overflow", statistics->drops_overflow},
        {"drops-age", statistics->drops_age},
        {"drops-unwatched", statistics->drops_unwatched},
        {"queue-messages", statistics->queue_messages},
        {"queue-bytes", statistics->queue_bytes},
        {"queue-time", statistics->queue_age_ns},
        {"send-latency-last", statistics->send_latency_last_ns},
        {"send-latency-avg", statistics->send_latency_average_ns},
        {"send-latency-max", statistics->send_latency_max_ns},
        {"kernel-unsent-bytes", statistics->kernel_unsent_bytes},
    };
    GstStructure *structure = figures_structure("application/x-relay-sink-statistics", statistics,
                                                figures, G_N_ELEMENTS(figures));

    gst_structure_set(structure, "viewers", G_TYPE_INT64, (gint64)statistics->viewers, NULL);
    gst_structure_free(base);
    return structure;
}
