#include "tests/host-gst/fixture.h"

#include <string.h>

static void init(struct fixture *fixture, const char *name)
{
    char *location;

    memset(fixture, 0, sizeof *fixture);
    fixture->relay = fake_relay_start();
    fixture->element = gst_object_ref_sink(gst_element_factory_make(name, NULL));
    fixture->bus = gst_bus_new();
    gst_element_set_bus(fixture->element, fixture->bus);
    location = fake_relay_location(fixture->relay, false);
    g_object_set(fixture->element, "location", location, "token", "test-token", "reconnect-delay",
                 10, "reconnect-delay-max", 50, NULL);
    g_free(location);
}

void fixture_init(struct fixture *fixture)
{
    init(fixture, "relaysink");
}

void fixture_init_src(struct fixture *fixture)
{
    init(fixture, "relaysrc");
}

void fixture_push_segment(struct fixture *fixture)
{
    GstSegment segment;

    gst_segment_init(&segment, GST_FORMAT_TIME);
    fail_unless(gst_harness_push_event(fixture->harness, gst_event_new_segment(&segment)));
}

void fixture_play(struct fixture *fixture, const char *caps)
{
    fixture->harness = gst_harness_new_with_element(fixture->element, "sink", NULL);
    /* The harness has put its own bus on the element. */
    gst_element_set_bus(fixture->element, fixture->bus);
    if (caps != NULL) {
        gst_harness_set_src_caps_str(fixture->harness, caps);
    } else {
        gst_pad_push_event(fixture->harness->srcpad, gst_event_new_stream_start("test"));
        fixture_push_segment(fixture);
    }
}

void fixture_play_src(struct fixture *fixture)
{
    fixture->harness = gst_harness_new_with_element(fixture->element, NULL, "src");
    gst_element_set_bus(fixture->element, fixture->bus);
    gst_harness_use_systemclock(fixture->harness);
    gst_harness_play(fixture->harness);
}

void fixture_deinit(struct fixture *fixture)
{
    gst_element_set_state(fixture->element, GST_STATE_NULL);
    if (fixture->harness != NULL) {
        gst_harness_teardown(fixture->harness);
    }
    gst_element_set_bus(fixture->element, NULL);
    gst_object_unref(fixture->element);
    gst_object_unref(fixture->bus);
    fake_relay_stop(fixture->relay);
}

GstMessage *fixture_wait_message(struct fixture *fixture, GstMessageType type)
{
    GstMessage *message =
        gst_bus_timed_pop_filtered(fixture->bus, FIXTURE_WAIT_S * GST_SECOND, type);

    fail_unless(message != NULL, "no %s message within %d s", gst_message_type_get_name(type),
                FIXTURE_WAIT_S);
    return message;
}

void fixture_wait_state(struct fixture *fixture, const char *state)
{
    for (bool found = false; !found;) {
        GstMessage *message = fixture_wait_message(fixture, GST_MESSAGE_ELEMENT);
        const GstStructure *structure = gst_message_get_structure(message);

        found = gst_structure_has_name(structure, "relay-connection-state") &&
                g_strcmp0(gst_structure_get_string(structure, "state"), state) == 0;
        gst_message_unref(message);
    }
}

void fixture_wait_property(GstElement *element, const char *wanted)
{
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;

    for (;;) {
        GParamSpec *spec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(element), "connection-state");
        const GEnumValue *value;
        gint state;

        g_object_get(element, "connection-state", &state, NULL);
        value = g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, state);
        if (g_str_equal(value->value_nick, wanted)) {
            return;
        }
        fail_unless(g_get_monotonic_time() < deadline_us, "state %s, not %s", value->value_nick,
                    wanted);
        g_usleep(200);
    }
}

void fixture_expect_none(struct fixture *fixture, GstMessageType type)
{
    GstMessage *message = gst_bus_pop_filtered(fixture->bus, type);

    fail_unless(message == NULL, "unexpected message: %" GST_PTR_FORMAT, message);
}

guint64 fixture_count(const struct fixture *fixture, const char *field)
{
    GstStructure *statistics = NULL;
    guint64 count = 0;

    g_object_get(fixture->element, "stats", &statistics, NULL);
    fail_unless(gst_structure_get_uint64(statistics, field, &count), "no %s in stats", field);
    gst_structure_free(statistics);
    return count;
}

void fixture_wait_count(const struct fixture *fixture, const char *field, guint64 wanted)
{
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;

    while (fixture_count(fixture, field) < wanted) {
        fail_unless(g_get_monotonic_time() < deadline_us, "%s is %" G_GUINT64_FORMAT, field,
                    fixture_count(fixture, field));
        g_usleep(1000);
    }
}

GstBuffer *fixture_buffer(const void *data, gsize len)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, len, NULL);

    gst_buffer_fill(buffer, 0, data, len);
    return buffer;
}

void fixture_expect_message(struct fixture *fixture, guint index, const void *data, gsize len)
{
    GBytes *message, *expected = g_bytes_new(data, len);

    fake_relay_wait_messages(fixture->relay, index + 1);
    message = fake_relay_message(fixture->relay, index, NULL);
    fail_unless(g_bytes_equal(message, expected), "message %u: %zu bytes, expected %zu", index,
                g_bytes_get_size(message), len);
    g_bytes_unref(message);
    g_bytes_unref(expected);
}
