/* Goal: each figure of the client's statistics is under its own name, with its own type. Method:
 * every member has a figure of its own. */
#include "host-gst/sink/sink_statistics.h"

#include <criterion/criterion.h>
#include <stdio.h>

#include "base/attributes.h"

static GstStructure *structure;

static guint64 count_of(const char *name)
{
    guint64 value = 0;

    cr_expect(gst_structure_get_uint64(structure, name, &value), "%s", name);
    return value;
}

Test(sink_statistics, names_every_figure)
{
    struct relay_client_statistics statistics = {
        .state = RELAY_CLIENT_CONNECTED,
        .connects = 1,
        .connect_failures = 2,
        .last_fault = RELAY_CLIENT_FAULT_STALLED,
        .last_http_status = 503,
        .last_error = "no pong for 10 s",
        .last_retry_ns = 3,
        .connected_ns = 4,
        .messages_sent = 5,
        .bytes_sent = 6,
        .random_access_sent = 7,
        .messages_dropped = 8,
        .bytes_dropped = 9,
        .drops_disconnected = 10,
        .drops_overflow = 11,
        .drops_age = 12,
        .queue_messages = 13,
        .queue_bytes = 14,
        .queue_age_ns = 15,
        .send_latency_last_ns = 16,
        .send_latency_average_ns = 17,
        .send_latency_max_ns = 18,
        .kernel_unsent_bytes = 19,
        .rtt_ns = 20,
        .token_file_mtime_s = 99,
        .drops_unwatched = 21,
        .round_trip_ns = 22,
        .relay_v1 = true,
        .viewers = 23,
    };
    static const char *const names[] = {
        "connects",         "connect-failures",   "last-retry-time",     "connected-time",
        "messages-sent",    "bytes-sent",         "keyframes-sent",      "messages-dropped",
        "bytes-dropped",    "drops-disconnected", "drops-overflow",      "drops-age",
        "queue-messages",   "queue-bytes",        "queue-time",          "send-latency-last",
        "send-latency-avg", "send-latency-max",   "kernel-unsent-bytes", "rtt",
        "drops-unwatched",  "round-trip"};
    gboolean connected = FALSE;
    gint status = 0;
    gint64 mtime_s = 0, viewers = 0;
    gboolean relay_v1 = FALSE;

    gst_init(NULL, NULL);
    structure =
        sink_statistics_structure(&statistics, 102,
                                  gst_structure_new("base", "rendered", G_TYPE_UINT64, (guint64)100,
                                                    "dropped", G_TYPE_UINT64, (guint64)101, NULL));
    for (size_t i = 0; i < ARRAY_LENGTH(names); i++) {
        cr_expect_eq(count_of(names[i]), i + 1, "%s", names[i]);
    }
    cr_expect_eq(count_of("rendered"), 100);
    cr_expect_eq(count_of("dropped"), 101);
    cr_expect_eq(count_of("keyframe-requests"), 102);
    cr_expect_str_eq(gst_structure_get_string(structure, "state"), "connected");
    cr_expect(gst_structure_get_boolean(structure, "connected", &connected) && connected);
    cr_expect_str_eq(gst_structure_get_string(structure, "last-fault"), "stalled");
    cr_expect_str_eq(gst_structure_get_string(structure, "last-error"), "no pong for 10 s");
    cr_expect(gst_structure_get_int(structure, "last-http-status", &status) && status == 503);
    cr_expect(gst_structure_get_int64(structure, "token-file-mtime", &mtime_s) && mtime_s == 99);
    cr_expect(gst_structure_get_int64(structure, "viewers", &viewers) && viewers == 23);
    cr_expect(gst_structure_get_boolean(structure, "relay-v1", &relay_v1) && relay_v1);
    gst_structure_free(structure);
}

Test(sink_statistics, are_complete_before_there_is_anything)
{
    const struct relay_client_statistics statistics = {.state = RELAY_CLIENT_IDLE};
    gboolean connected = TRUE;

    gst_init(NULL, NULL);
    structure = sink_statistics_structure(&statistics, 0, gst_structure_new_empty("base"));
    cr_expect(gst_structure_get_boolean(structure, "connected", &connected) && !connected);
    cr_expect_eq(count_of("rendered"), 0);
    cr_expect_eq(gst_structure_n_fields(structure), 33);
    gst_structure_free(structure);
}
