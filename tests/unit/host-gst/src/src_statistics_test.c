/* Goal: each figure of the client and of the receiver is under its own name. Method: every member
 * has a figure of its own. */
#include "host-gst/src/src_statistics.h"

#include <criterion/criterion.h>

#include "base/attributes.h"

static guint64 count_of(const GstStructure *structure, const char *name)
{
    guint64 value = 0;

    cr_expect(gst_structure_get_uint64(structure, name, &value), "%s", name);
    return value;
}

Test(src_statistics, names_every_figure)
{
    const struct relay_client_statistics statistics = {
        .messages_received = 1,
        .bytes_received = 2,
        .receive_drops_overflow = 10,
        .receive_drops_age = 20,
        .receive_bytes_dropped = 300,
        .receive_queue_messages = 3,
        .receive_queue_bytes = 4,
        .receive_queue_age_ns = 5,
        .rtt_ns = 6,
    };
    const struct receiver_figures figures = {.gaps = 7,
                                             .skipped_messages = 40,
                                             .skipped_bytes = 5000,
                                             .messages = 2,
                                             .age_last = 8,
                                             .age_sum = 18,
                                             .age_max = 10};
    static const struct {
        const char *name;
        guint64 value;
    } expected[] = {
        {"messages-received", 1}, {"bytes-received", 2},
        {"messages-passed", 2},   {"gaps", 7},
        {"drops-overflow", 10},   {"drops-age", 20},
        {"drops-keyframe", 40},   {"queue-messages", 3},
        {"queue-bytes", 4},       {"queue-time", 5},
        {"age-last", 8},          {"age-avg", 9},
        {"age-max", 10},          {"rtt", 6},
        {"messages-dropped", 70}, {"bytes-dropped", 5300},
    };
    GstStructure *structure;

    gst_init(NULL, NULL);
    structure = src_statistics_structure(&statistics, &figures);
    cr_expect(gst_structure_has_name(structure, "application/x-relay-src-statistics"));
    for (size_t i = 0; i < ARRAY_LENGTH(expected); i++) {
        cr_expect_eq(count_of(structure, expected[i].name), expected[i].value, "%s",
                     expected[i].name);
    }
    gst_structure_free(structure);
}

Test(src_statistics, are_complete_before_there_is_anything)
{
    const struct relay_client_statistics statistics = {.state = RELAY_CLIENT_IDLE};
    const struct receiver_figures figures = {.messages = 0};
    GstStructure *structure;

    gst_init(NULL, NULL);
    structure = src_statistics_structure(&statistics, &figures);
    cr_expect_eq(count_of(structure, "age-avg"), 0);
    gst_structure_free(structure);
}
