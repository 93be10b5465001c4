#include "host-gst/sink_statistics.h"

static guint64 base_count(const GstStructure *base, const char *field)
{
    guint64 count = 0;

    gst_structure_get_uint64(base, field, &count);
    return count;
}

GstStructure *sink_statistics_structure(const struct relay_client_statistics *statistics,
                                        GstStructure *base)
{
    const struct {
        const char *name;
        guint64 value;
    } counts[] = {
        {"rendered", base_count(base, "rendered")},
        {"dropped", base_count(base, "dropped")},
        {"connects", statistics->connects},
        {"connect-failures", statistics->connect_failures},
        {"last-retry-time", statistics->last_retry_ns},
        {"connected-time", statistics->connected_ns},
        {"messages-sent", statistics->messages_sent},
        {"bytes-sent", statistics->bytes_sent},
        {"keyframes-sent", statistics->random_access_sent},
        {"messages-dropped", statistics->messages_dropped},
        {"bytes-dropped", statistics->bytes_dropped},
        {"drops-disconnected", statistics->drops_disconnected},
        {"drops-overflow", statistics->drops_overflow},
        {"drops-age", statistics->drops_age},
        {"queue-messages", statistics->queue_messages},
        {"queue-bytes", statistics->queue_bytes},
        {"queue-time", statistics->queue_age_ns},
        {"send-latency-last", statistics->send_latency_last_ns},
        {"send-latency-avg", statistics->send_latency_average_ns},
        {"send-latency-max", statistics->send_latency_max_ns},
        {"kernel-unsent-bytes", statistics->kernel_unsent_bytes},
        {"rtt", statistics->rtt_ns},
    };
    GstStructure *structure = gst_structure_new(
        "application/x-relay-sink-statistics", "state", G_TYPE_STRING,
        relay_client_state_text(statistics->state), "connected", G_TYPE_BOOLEAN,
        statistics->state == RELAY_CLIENT_CONNECTED, "last-fault", G_TYPE_STRING,
        relay_client_fault_text(statistics->last_fault), "last-error", G_TYPE_STRING,
        statistics->last_error, "last-http-status", G_TYPE_INT, statistics->last_http_status,
        "token-file-mtime", G_TYPE_INT64, (gint64)statistics->token_file_mtime_s, NULL);

    for (size_t i = 0; i < G_N_ELEMENTS(counts); i++) {
        gst_structure_set(structure, counts[i].name, G_TYPE_UINT64, counts[i].value, NULL);
    }
    gst_structure_free(base);
    return structure;
}
