/* Goal: relaysrc is live and stops at once while it waits; the end of its connection is what the
 * user asked for; its messages name reading; no secret is shown. Method: a fake relay, a harness.
 */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"
#include "tests/host-gst/timing.h"

static void play_connected(struct fixture *fixture)
{
    fixture_play_src(fixture);
    fixture_wait_state(fixture, "connected");
}

GST_START_TEST(is_live_and_tells_its_latency)
{
    GstQuery *query = gst_query_new_latency();
    GstClockTime min, max;
    struct fixture fixture;
    gboolean live;

    fixture_init_src(&fixture);
    fail_unless_equals_int(gst_element_set_state(fixture.element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_NO_PREROLL);
    fail_unless(gst_element_query(fixture.element, query));
    gst_query_parse_latency(query, &live, &min, &max);
    fail_unless(live);
    fail_unless_equals_uint64(min, 0);
    fail_unless_equals_uint64(max, GST_SECOND);
    g_object_set(fixture.element, "max-age", (guint64)0, NULL);
    fail_unless(gst_element_query(fixture.element, query));
    gst_query_parse_latency(query, NULL, NULL, &max);
    fail_if(GST_CLOCK_TIME_IS_VALID(max));
    gst_query_unref(query);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(stops_at_once_while_it_waits_for_messages)
{
    struct timing stop = {.count = 0};

    for (guint i = 0; i < 20; i++) {
        struct fixture fixture;
        gint64 begun_us;

        fixture_init_src(&fixture);
        play_connected(&fixture);
        begun_us = g_get_monotonic_time();
        gst_element_set_state(fixture.element, i % 2 == 0 ? GST_STATE_NULL : GST_STATE_PAUSED);
        timing_add(&stop, begun_us);
        fixture_deinit(&fixture);
    }
    timing_check(&stop, 80, TIMING_NULL_LIMIT_US, "stop of a waiting source");
}
GST_END_TEST;

GST_START_TEST(goes_on_after_pauses_and_a_restart)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    for (guint i = 0; i < 10; i++) {
        GstBuffer *buffer;

        gst_element_set_state(fixture.element, i % 3 == 0 ? GST_STATE_NULL : GST_STATE_PAUSED);
        gst_element_set_state(fixture.element, GST_STATE_PLAYING);
        fixture_wait_property(fixture.element, "connected");
        fake_relay_send(fixture.relay, FAKE_TEXT, "again", 5);
        buffer = gst_harness_pull(fixture.harness);
        fail_unless(buffer != NULL, "no buffer in round %u", i);
        gst_check_buffer_data(buffer, "again", 5);
        gst_buffer_unref(buffer);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(without_reconnecting_a_normal_close_is_the_end_of_the_stream)
{
    struct fixture fixture;
    GstEvent *event;
    bool ended;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "auto-reconnect", FALSE, NULL);
    play_connected(&fixture);
    fake_relay_send(fixture.relay, FAKE_TEXT, "last", 4);
    fake_relay_close_sockets(fixture.relay, 1000);
    gst_buffer_unref(gst_harness_pull(fixture.harness));
    do {
        event = gst_harness_pull_event(fixture.harness);
        fail_unless(event != NULL, "no end of the stream");
        ended = GST_EVENT_TYPE(event) == GST_EVENT_EOS;
        gst_event_unref(event);
    } while (!ended);
    fixture_expect_none(&fixture, GST_MESSAGE_ERROR);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static void expect_error_code(struct fixture *fixture, GstMessageType type, gint code)
{
    GstMessage *message = fixture_wait_message(fixture, type);
    GError *error = NULL;

    if (type == GST_MESSAGE_ERROR) {
        gst_message_parse_error(message, &error, NULL);
    } else {
        gst_message_parse_warning(message, &error, NULL);
    }
    fail_unless(g_error_matches(error, GST_RESOURCE_ERROR, code), "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
}

GST_START_TEST(without_reconnecting_another_end_is_an_error)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "auto-reconnect", FALSE, NULL);
    play_connected(&fixture);
    fake_relay_close_sockets(fixture.relay, 1001);
    expect_error_code(&fixture, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR_READ);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_lost_connection_is_a_warning_and_there_is_another)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    fake_relay_close_sockets(fixture.relay, 0);
    expect_error_code(&fixture, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR_READ);
    fixture_wait_property(fixture.element, "connected");
    fixture_expect_none(&fixture, GST_MESSAGE_ERROR);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_refusal_is_told_and_mended_by_a_token)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play_src(&fixture);
    expect_error_code(&fixture, GST_MESSAGE_WARNING, GST_RESOURCE_ERROR_NOT_AUTHORIZED);
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    g_object_set(fixture.element, "token", "another-token", NULL);
    fixture_wait_state(&fixture, "connected");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(settings_that_cannot_work_are_an_error)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "location", "https://user:password@host/session/t", NULL);
    fail_unless_equals_int(gst_element_set_state(fixture.element, GST_STATE_PAUSED),
                           GST_STATE_CHANGE_FAILURE);
    expect_error_code(&fixture, GST_MESSAGE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(is_found_by_its_uri)
{
    GstElement *element =
        gst_element_make_from_uri(GST_URI_SRC, "relay+https://host.example/session/t", NULL, NULL);
    char *location = NULL;

    fail_unless(element != NULL);
    gst_object_ref_sink(element);
    fail_unless_equals_string(GST_OBJECT_NAME(gst_element_get_factory(element)), "relaysrc");
    g_object_get(element, "location", &location, NULL);
    fail_unless_equals_string(location, "https://host.example/session/t");
    fail_unless(gst_element_make_from_uri(GST_URI_SRC, "relay+https://u:p@host/session/t", NULL,
                                          NULL) == NULL,
                "a password");
    fail_unless((g_object_class_find_property(G_OBJECT_GET_CLASS(element), "token")->flags &
                 G_PARAM_READABLE) == 0);
    g_free(location);
    gst_object_unref(element);
}
GST_END_TEST;

GST_START_TEST(survives_messages_while_properties_change_and_connections_break)
{
    GstHarnessThread *properties;
    GValue value = G_VALUE_INIT;
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    g_value_init(&value, G_TYPE_UINT64);
    g_value_set_uint64(&value, 10 * GST_MSECOND);
    properties = gst_harness_stress_property_start_full(fixture.harness, "max-age", &value, 1000);
    for (guint i = 0; i < 100; i++) {
        fake_relay_send(fixture.relay, FAKE_TEXT, "message", 7);
        if (i % 10 == 9) {
            fake_relay_close_sockets(fixture.relay, i % 20 == 9 ? 1001 : 0);
            fixture_wait_state(&fixture, "connected");
        }
    }
    gst_harness_stress_thread_stop(properties);
    fail_unless_equals_uint64(fixture_count(&fixture, "connects"), 11);
    g_value_unset(&value);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(survives_state_changes_while_messages_come)
{
    GstHarnessThread *states;
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    states = gst_harness_stress_statechange_start_full(fixture.harness, 1000);
    for (guint i = 0; i < 200; i++) {
        fake_relay_send(fixture.relay, FAKE_TEXT, "message", 7);
        g_usleep(1000);
    }
    gst_harness_stress_thread_stop(states);
    fixture_expect_none(&fixture, GST_MESSAGE_ERROR);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *src_states_suite(void)
{
    Suite *suite = suite_create("src_states");
    TCase *tests = tcase_create("states");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, is_live_and_tells_its_latency);
    tcase_add_test(tests, stops_at_once_while_it_waits_for_messages);
    tcase_add_test(tests, goes_on_after_pauses_and_a_restart);
    tcase_add_test(tests, without_reconnecting_a_normal_close_is_the_end_of_the_stream);
    tcase_add_test(tests, without_reconnecting_another_end_is_an_error);
    tcase_add_test(tests, a_lost_connection_is_a_warning_and_there_is_another);
    tcase_add_test(tests, a_refusal_is_told_and_mended_by_a_token);
    tcase_add_test(tests, settings_that_cannot_work_are_an_error);
    tcase_add_test(tests, is_found_by_its_uri);
    tcase_add_test(tests, survives_messages_while_properties_change_and_connections_break);
    tcase_add_test(tests, survives_state_changes_while_messages_come);
    return suite;
}

GST_CHECK_MAIN(src_states);
