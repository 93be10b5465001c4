#include "host-gst/src/src_statistics.h"

#include "host-gst/link/figures.h"

enum { NS_PER_US = 1000 };

GstStructure *src_statistics_structure(const struct relay_client_statistics *statistics,
                                       const struct receiver_figures *figures)
{
    guint64 dropped = statistics->receive_drops_overflow + statistics->receive_drops_age +
                      figures->skipped_messages;
    const struct relay_client_hop_latency *hops = statistics->hops;
    const struct figure own[] = {
        {"messages-received", statistics->messages_received},
        {"bytes-received", statistics->bytes_received},
        {"messages-passed", figures->messages},
        {"gaps", figures->gaps},
        {"messages-dropped", dropped},
        {"bytes-dropped", statistics->receive_bytes_dropped + figures->skipped_bytes},
        {"drops-overflow", statistics->receive_drops_overflow},
        {"drops-age", statistics->receive_drops_age},
        {"drops-keyframe", figures->skipped_messages},
        {"queue-messages", statistics->receive_queue_messages},
        {"queue-bytes", statistics->receive_queue_bytes},
        {"queue-time", statistics->receive_queue_age_ns},
        {"age-last", figures->age_last},
        {"age-avg", figures->messages > 0 ? figures->age_sum / figures->messages : 0},
        {"age-max", figures->age_max},
        {"latency-to-relay-p50", hops[RELAY_CLIENT_HOP_TO_RELAY].p50_us * NS_PER_US},
        {"latency-to-relay-p99", hops[RELAY_CLIENT_HOP_TO_RELAY].p99_us * NS_PER_US},
        {"latency-in-relay-p50", hops[RELAY_CLIENT_HOP_IN_RELAY].p50_us * NS_PER_US},
        {"latency-in-relay-p99", hops[RELAY_CLIENT_HOP_IN_RELAY].p99_us * NS_PER_US},
        {"latency-to-viewer-p50", hops[RELAY_CLIENT_HOP_TO_VIEWER].p50_us * NS_PER_US},
        {"latency-to-viewer-p99", hops[RELAY_CLIENT_HOP_TO_VIEWER].p99_us * NS_PER_US},
        {"latency-total-p50", hops[RELAY_CLIENT_HOP_TOTAL].p50_us * NS_PER_US},
        {"latency-total-p99", hops[RELAY_CLIENT_HOP_TOTAL].p99_us * NS_PER_US},
    };

    return figures_structure("application/x-relay-src-statistics", statistics, own,
                             G_N_ELEMENTS(own));
}
