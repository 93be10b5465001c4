#include "host-gst/link/figures.h"

static void figures_add(GstStructure *structure, const struct figure *figures, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        gst_structure_set(structure, figures[i].name, G_TYPE_UINT64, figures[i].value, NULL);
    }
}

GstStructure *figures_structure(const char *name, const struct relay_client_statistics *statistics,
                                const struct figure *figures, size_t count)
{
    const struct figure common[] = {
        {"connects", statistics->connects},
        {"connect-failures", statistics->connect_failures},
        {"last-retry-time", statistics->last_retry_ns},
        {"connected-time", statistics->connected_ns},
        {"rtt", statistics->rtt_ns},
        {"round-trip", statistics->round_trip_ns},
    };
    GstStructure *structure = gst_structure_new(
        name, "state", G_TYPE_STRING, relay_client_state_text(statistics->state), "connected",
        G_TYPE_BOOLEAN, statistics->state == RELAY_CLIENT_CONNECTED, "relay-v1", G_TYPE_BOOLEAN,
        statistics->relay_v1, "last-fault", G_TYPE_STRING,
        relay_client_fault_text(statistics->last_fault), "last-error", G_TYPE_STRING,
        statistics->last_error, "last-http-status", G_TYPE_INT, statistics->last_http_status,
        "token-file-mtime", G_TYPE_INT64, (gint64)statistics->token_file_mtime_s, NULL);

    figures_add(structure, common, G_N_ELEMENTS(common));
    figures_add(structure, figures, count);
    return structure;
}
