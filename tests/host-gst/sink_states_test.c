/* Goal: no state change, seek or end of stream waits for the network, whatever it does. Method: a
 * fake relay or a port that holds the connection in one phase, then the clock. */
#include <gst/check/gstcheck.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host-gst/fake_relay.h"
#include "tests/host-gst/fixture.h"
#include "tests/host-gst/timing.h"

static GstBuffer *jpeg_of(gsize len, guint8 filler)
{
    guint8 *data = g_malloc(len);

    memset(data, filler, len);
    return gst_buffer_new_wrapped(data, len);
}

GST_START_TEST(a_stalled_peer_blocks_neither_streaming_nor_null)
{
    struct timing push = {.count = 0}, stop = {.count = 0};

    for (guint i = 0; i < 10; i++) {
        struct fixture fixture;
        gint64 begun_us;

        fixture_init(&fixture);
        fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
        fixture_play(&fixture, "image/jpeg");
        fixture_wait_state(&fixture, "connected");
        for (guint count = 0; count < 60; count++) {
            begun_us = g_get_monotonic_time();
            fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(300000, 1)),
                                   GST_FLOW_OK);
            timing_add(&push, begun_us);
        }
        fail_unless(fixture_count(&fixture, "queue-bytes") <= 8 << 20);
        fixture_wait_count(&fixture, "messages-dropped", 1);
        begun_us = g_get_monotonic_time();
        gst_element_set_state(fixture.element, GST_STATE_NULL);
        timing_add(&stop, begun_us);
        fixture_deinit(&fixture);
    }
    timing_check(&push, 99, TIMING_NULL_LIMIT_US, "push into a stall");
    timing_check(&stop, 80, TIMING_NULL_LIMIT_US, "stop in a stall");
}
GST_END_TEST;

/* A pipeline that stalls with a queue in front of the sink. rounds: PAUSED and PLAYING again. */
static void pause_and_play(bool waits)
{
    struct fake_relay *relay = fake_relay_start();
    char *location = fake_relay_location(relay, false);
    GstElement *pipeline, *sink;
    GError *error = NULL;

    fake_relay_set_behaviour(relay, waits ? FAKE_REFUSE : FAKE_NEVER_READ);
    pipeline =
        gst_parse_launch("fakesrc sizetype=fixed sizemax=200000 is-live=true datarate=20000000 "
                         "! application/x-test ! queue ! relaysink name=sink",
                         &error);
    fail_unless(error == NULL);
    sink = gst_bin_get_by_name(GST_BIN(pipeline), "sink");
    g_object_set(sink, "location", location, "token", "test-token", "wait-for-connection", waits,
                 "reconnect-delay", 10, "reconnect-delay-max", 20, NULL);
    fail_unless(gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
    fixture_wait_property(sink, waits ? "waiting" : "connected");
    for (guint round = 0; round < 3; round++) {
        fail_unless(gst_element_set_state(pipeline, GST_STATE_PAUSED) != GST_STATE_CHANGE_FAILURE);
        fail_unless(gst_element_get_state(pipeline, NULL, NULL, 5 * GST_SECOND) !=
                    GST_STATE_CHANGE_ASYNC);
        fail_unless(gst_element_set_state(pipeline, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
        fail_unless(gst_element_get_state(pipeline, NULL, NULL, 5 * GST_SECOND) ==
                    GST_STATE_CHANGE_SUCCESS);
    }
    /* The branch still runs: once the relay reads, messages come. */
    fake_relay_set_behaviour(relay, FAKE_SERVE);
    fake_relay_close_sockets(relay, 0);
    fake_relay_wait_messages(relay, 10);
    gst_element_set_state(pipeline, GST_STATE_NULL);
    gst_object_unref(sink);
    gst_object_unref(pipeline);
    g_free(location);
    fake_relay_stop(relay);
}

GST_START_TEST(a_queue_in_front_survives_pause_and_play_while_stalled)
{
    pause_and_play(false);
}
GST_END_TEST;

GST_START_TEST(a_queue_in_front_survives_pause_and_play_while_waiting_for_the_connection)
{
    pause_and_play(true);
}
GST_END_TEST;

GST_START_TEST(end_of_stream_does_not_wait_for_a_dead_relay)
{
    struct fixture fixture;
    GstMessage *message;
    gint64 begun_us;

    fixture_init(&fixture);
    fake_relay_set_behaviour(fixture.relay, FAKE_SILENT_ACCESS);
    fixture_play(&fixture, "image/jpeg");
    fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(100, 1)), GST_FLOW_OK);
    begun_us = g_get_monotonic_time();
    fail_unless(gst_harness_push_event(fixture.harness, gst_event_new_eos()));
    message = fixture_wait_message(&fixture, GST_MESSAGE_EOS);
    fail_unless(g_get_monotonic_time() - begun_us < timing_limit(500 * 1000 * TIME_SCALE));
    gst_message_unref(message);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(end_of_stream_waits_for_a_slow_relay_as_long_as_eos_timeout)
{
    struct fixture fixture;
    gint64 begun_us, took_us;

    fixture_init(&fixture);
    g_object_set(fixture.element, "eos-timeout", 300, "max-queue-time", (guint64)0, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    for (guint i = 0; i < 7; i++) {
        gst_harness_push(fixture.harness, jpeg_of(1 << 20, 1));
    }
    begun_us = g_get_monotonic_time();
    gst_harness_push_event(fixture.harness, gst_event_new_eos());
    took_us = g_get_monotonic_time() - begun_us;
    fail_unless(took_us >= 290 * 1000, "%" G_GINT64_FORMAT " us", took_us);
    fail_unless(took_us < timing_limit(5000 * 1000 * TIME_SCALE), "%" G_GINT64_FORMAT " us",
                took_us);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(who_waits_waits_for_the_end_as_long_as_it_moves)
{
    struct fixture fixture;
    gint64 begun_us, took_us;

    fixture_init(&fixture);
    g_object_set(fixture.element, "eos-timeout", 300 * TIME_SCALE, "wait-for-connection", TRUE,
                 NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_READ_SLOWLY);
    fixture_play(&fixture, "image/jpeg");
    for (guint i = 0; i < 2 * TIME_SCALE; i++) {
        fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(1 << 20, 1)), GST_FLOW_OK);
    }
    begun_us = g_get_monotonic_time();
    fail_unless(gst_harness_push_event(fixture.harness, gst_event_new_eos()));
    took_us = g_get_monotonic_time() - begun_us;
    fail_unless_equals_uint64(fixture_count(&fixture, "queue-messages"), 0);
    fail_unless(took_us > 300 * 1000 * TIME_SCALE, "%" G_GINT64_FORMAT " us", took_us);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    fake_relay_wait_messages(fixture.relay, 2 * TIME_SCALE);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(who_waits_is_warned_when_the_end_is_not_sent)
{
    struct fixture fixture;
    GstMessage *message;
    GError *error = NULL;
    gint64 begun_us;

    fixture_init(&fixture);
    g_object_set(fixture.element, "eos-timeout", 300, "wait-for-connection", TRUE, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_play(&fixture, "image/jpeg");
    for (guint i = 0; i < 7; i++) {
        gst_harness_push(fixture.harness, jpeg_of(1 << 20, 1));
    }
    begun_us = g_get_monotonic_time();
    fail_unless(gst_harness_push_event(fixture.harness, gst_event_new_eos()));
    fail_unless(g_get_monotonic_time() - begun_us >= 290 * 1000);
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE));
    fail_unless(strstr(error->message, "unsent") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_EOS));
    fixture_deinit(&fixture);
}
GST_END_TEST;

static gpointer push_eos(gpointer data)
{
    struct fixture *fixture = data;

    gst_harness_push_event(fixture->harness, gst_event_new_eos());
    return NULL;
}

GST_START_TEST(null_ends_the_drain_at_the_end_of_the_stream)
{
    struct fixture fixture;
    struct timing stop = {.count = 0};
    GThread *pusher;
    gint64 begun_us;

    fixture_init(&fixture);
    g_object_set(fixture.element, "eos-timeout", 60000, "max-queue-time", (guint64)0,
                 "wait-for-connection", __i__ == 1, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    for (guint i = 0; i < 7; i++) {
        gst_harness_push(fixture.harness, jpeg_of(1 << 20, 1));
    }
    pusher = g_thread_new("eos", push_eos, &fixture);
    g_usleep(20 *
             1000); /* most likely inside the drain; the limit holds before and after it, too */
    begun_us = g_get_monotonic_time();
    gst_element_set_state(fixture.element, GST_STATE_NULL);
    timing_add(&stop, begun_us);
    g_thread_join(pusher);
    timing_check(&stop, 100, 4 * TIMING_NULL_LIMIT_US, "stop in a drain");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_flush_drops_the_queue_and_keeps_the_connection)
{
    struct fixture fixture;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-time", (guint64)0, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    for (guint i = 0; i < 7; i++) {
        gst_harness_push(fixture.harness, jpeg_of(1 << 20, 1));
    }
    gst_harness_push_event(fixture.harness, gst_event_new_flush_start());
    /* A message that the socket has begun stays: messages are sent whole or not at all. */
    fail_unless(fixture_count(&fixture, "queue-messages") < 5);
    gst_harness_push_event(fixture.harness, gst_event_new_flush_stop(TRUE));
    fixture_push_segment(&fixture);
    fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(10, 2)), GST_FLOW_OK);
    fail_unless_equals_uint64(fixture_count(&fixture, "connects"), 1);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_new_location_in_ready_is_used_from_the_next_paused_on)
{
    struct fake_relay *other = fake_relay_start();
    char *location = fake_relay_location(other, false);
    struct fixture fixture;

    fixture_init(&fixture);
    gst_element_set_state(fixture.element, GST_STATE_READY);
    fake_relay_wait_connections(fixture.relay, 1);
    g_object_set(fixture.element, "location", location, NULL);
    gst_element_set_state(fixture.element, GST_STATE_PAUSED);
    fake_relay_wait_connections(other, 1);
    fixture_deinit(&fixture);
    fake_relay_stop(other);
    g_free(location);
}
GST_END_TEST;

GST_START_TEST(settings_that_cannot_work_stay_an_error_until_they_are_put_right)
{
    struct fixture fixture;
    char *location;

    fixture_init(&fixture);
    location = fake_relay_location(fixture.relay, false);
    gst_element_set_state(fixture.element, GST_STATE_READY);
    g_object_set(fixture.element, "location", "", NULL);
    for (guint i = 0; i < 2; i++) {
        fail_unless_equals_int(gst_element_set_state(fixture.element, GST_STATE_PLAYING),
                               GST_STATE_CHANGE_FAILURE);
        gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_ERROR));
    }
    g_object_set(fixture.element, "location", location, NULL);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(10, 2)), GST_FLOW_OK);
    fake_relay_wait_messages(fixture.relay, 1);
    fixture_deinit(&fixture);
    g_free(location);
}
GST_END_TEST;

GST_START_TEST(survives_state_changes_while_properties_change)
{
    struct fixture fixture;
    GstHarnessThread *states, *properties;
    GValue value = G_VALUE_INIT;

    fixture_init(&fixture);
    fixture_play(&fixture, "image/jpeg");
    g_value_init(&value, G_TYPE_UINT64);
    g_value_set_uint64(&value, 1 << 20);
    states = gst_harness_stress_statechange_start_full(fixture.harness, 1000);
    properties =
        gst_harness_stress_property_start_full(fixture.harness, "max-queue-bytes", &value, 300);
    g_usleep(G_USEC_PER_SEC);
    gst_harness_stress_thread_stop(states);
    gst_harness_stress_thread_stop(properties);
    g_value_unset(&value);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(survives_buffers_while_properties_change_and_connections_break)
{
    struct fixture fixture;
    GstHarnessThread *pushes, *properties;
    GValue value = G_VALUE_INIT;
    GstCaps *caps = gst_caps_new_empty_simple("image/jpeg");
    GstBuffer *buffer = jpeg_of(2000, 1);
    GstSegment segment;

    fixture_init(&fixture);
    fixture_play(&fixture, "image/jpeg");
    gst_segment_init(&segment, GST_FORMAT_TIME);
    g_value_init(&value, G_TYPE_UINT64);
    g_value_set_uint64(&value, 1 << 20);
    pushes =
        gst_harness_stress_push_buffer_start_full(fixture.harness, caps, &segment, buffer, 500);
    properties =
        gst_harness_stress_property_start_full(fixture.harness, "max-queue-bytes", &value, 300);
    for (guint i = 1; i <= 10; i++) {
        fake_relay_wait_connections(fixture.relay, i);
        fake_relay_forget_messages(fixture.relay);
        fake_relay_wait_messages(fixture.relay, 5);
        fake_relay_close_sockets(fixture.relay, i % 2 == 0 ? 1001 : 0);
    }
    gst_harness_stress_thread_stop(pushes);
    gst_harness_stress_thread_stop(properties);
    fail_unless(fixture_count(&fixture, "queue-bytes") <= 1 << 20);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
    g_value_unset(&value);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *sink_states_suite(void)
{
    Suite *suite = suite_create("sink_states");
    TCase *tests = tcase_create("states");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, a_stalled_peer_blocks_neither_streaming_nor_null);
    tcase_add_test(tests, a_queue_in_front_survives_pause_and_play_while_stalled);
    tcase_add_test(tests,
                   a_queue_in_front_survives_pause_and_play_while_waiting_for_the_connection);
    tcase_add_test(tests, end_of_stream_does_not_wait_for_a_dead_relay);
    tcase_add_test(tests, end_of_stream_waits_for_a_slow_relay_as_long_as_eos_timeout);
    tcase_add_test(tests, who_waits_waits_for_the_end_as_long_as_it_moves);
    tcase_add_test(tests, who_waits_is_warned_when_the_end_is_not_sent);
    tcase_add_loop_test(tests, null_ends_the_drain_at_the_end_of_the_stream, 0, 2);
    tcase_add_test(tests, a_flush_drops_the_queue_and_keeps_the_connection);
    tcase_add_test(tests, a_new_location_in_ready_is_used_from_the_next_paused_on);
    tcase_add_test(tests, settings_that_cannot_work_stay_an_error_until_they_are_put_right);
    tcase_add_test(tests, survives_state_changes_while_properties_change);
    tcase_add_test(tests, survives_buffers_while_properties_change_and_connections_break);
    return suite;
}

GST_CHECK_MAIN(sink_states);
