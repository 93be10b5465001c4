/* Goal: no state change, seek or end of stream waits for the network, whatever it does. Method: a
 * fake relay or a port that holds the connection in one phase, then the clock. */
#include <gst/check/gstcheck.h>
#include <stdlib.h>
#include <string.h>

#include "tests/host-gst/fake_relay.h"
#include "tests/host-gst/sink_fixture.h"

enum {
    CYCLES = 100 / TIME_SCALE,
    SAMPLES_MAX = 1000,
    START_LIMIT_US = 1000 * TIME_SCALE,
    NULL_LIMIT_US = 50 * 1000 * TIME_SCALE,
};

/* How long one kind of step took. A busy machine may add to any step, so limits are compared with
 * the share of steps that a wait of the element's own would spoil. */
struct timing {
    gint64 took_us[SAMPLES_MAX];
    guint count;
};

static void timing_add(struct timing *timing, gint64 begun_us)
{
    fail_unless(timing->count < SAMPLES_MAX);
    timing->took_us[timing->count++] = g_get_monotonic_time() - begun_us;
}

static int compare_times(const void *a, const void *b)
{
    const gint64 *left = a, *right = b;

    return (*left > *right) - (*left < *right);
}

/* A promise of milliseconds, where as many others as the load says share each processor. */
static gint64 on_this_machine(gint64 limit_us)
{
    double load, share = 1;

    if (getloadavg(&load, 1) == 1 && load > g_get_num_processors()) {
        share = load / g_get_num_processors();
    }
    return (gint64)((double)limit_us * share);
}

/* percent of the steps took no longer. */
static void timing_check(struct timing *timing, guint percent, gint64 limit_us, const char *what)
{
    gint64 took_us;

    qsort(timing->took_us, timing->count, sizeof timing->took_us[0], compare_times);
    took_us = timing->took_us[(timing->count - 1) * percent / 100];
    fail_unless(took_us <= on_this_machine(limit_us),
                "%s: %" G_GINT64_FORMAT " us in %u %% of %u steps, longest %" G_GINT64_FORMAT " us",
                what, took_us, percent, timing->count, timing->took_us[timing->count - 1]);
}

static GstElement *sink_new(const char *location)
{
    GstElement *sink = gst_object_ref_sink(gst_element_factory_make("relaysink", NULL));

    g_object_set(sink, "location", location, "token", "test-token", "reconnect-delay", 60000,
                 "reconnect-delay-max", 60000, NULL);
    return sink;
}

/* Cycles through PLAYING and NULL; reached is asked until the wanted phase is there. */
static void cycle(const char *what, const char *location,
                  void (*wait_phase)(GstElement *sink, struct fake_relay *relay, guint cycle),
                  struct fake_relay *relay)
{
    GstElement *sink = sink_new(location);
    struct timing start = {.count = 0}, stop = {.count = 0};
    char *text;

    for (guint i = 0; i < CYCLES; i++) {
        gint64 begun_us = g_get_monotonic_time();

        fail_unless_equals_int(gst_element_set_state(sink, GST_STATE_READY),
                               GST_STATE_CHANGE_SUCCESS);
        timing_add(&start, begun_us);
        fail_unless_equals_int(gst_element_set_state(sink, GST_STATE_PLAYING),
                               GST_STATE_CHANGE_SUCCESS);
        wait_phase(sink, relay, i);
        begun_us = g_get_monotonic_time();
        fail_unless_equals_int(gst_element_set_state(sink, GST_STATE_NULL),
                               GST_STATE_CHANGE_SUCCESS);
        timing_add(&stop, begun_us);
    }
    text = g_strdup_printf("%s: start", what);
    timing_check(&start, 50, START_LIMIT_US, text);
    g_free(text);
    text = g_strdup_printf("%s: stop", what);
    timing_check(&stop, 95, NULL_LIMIT_US, text);
    g_free(text);
    gst_object_unref(sink);
}

static void wait_state(GstElement *sink, const char *wanted)
{
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;

    for (;;) {
        GParamSpec *spec =
            g_object_class_find_property(G_OBJECT_GET_CLASS(sink), "connection-state");
        const GEnumValue *value;
        gint state;

        g_object_get(sink, "connection-state", &state, NULL);
        value = g_enum_get_value(G_PARAM_SPEC_ENUM(spec)->enum_class, state);
        if (g_str_equal(value->value_nick, wanted)) {
            return;
        }
        fail_unless(g_get_monotonic_time() < deadline_us, "state %s, not %s", value->value_nick,
                    wanted);
        g_usleep(200);
    }
}

/* Whatever the resolver does, NULL comes while it is at it. */
static void wait_nothing(GstElement *sink, struct fake_relay *relay, guint i)
{
}

static void wait_accessing(GstElement *sink, struct fake_relay *relay, guint i)
{
    wait_state(sink, "accessing");
}

static void wait_waiting(GstElement *sink, struct fake_relay *relay, guint i)
{
    wait_state(sink, "waiting");
}

static void wait_request(GstElement *sink, struct fake_relay *relay, guint i)
{
    fake_relay_wait_requests(relay, i + 1);
}

static void wait_opened(GstElement *sink, struct fake_relay *relay, guint i)
{
    fake_relay_wait_connections(relay, i + 1);
}

static void wait_connected(GstElement *sink, struct fake_relay *relay, guint i)
{
    wait_state(sink, "connected");
}

/* A name that needs a resolver, which may answer at once or never. */
GST_START_TEST(null_is_quick_while_resolving)
{
    cycle("resolving", "https://relay.invalid/session/test", wait_nothing, NULL);
}
GST_END_TEST;

GST_START_TEST(null_is_quick_while_connecting)
{
    guint16 port;
    struct fake_blackhole *blackhole = fake_blackhole_start(&port);
    char *location = g_strdup_printf("http://127.0.0.1:%u/session/test", port);

    cycle("connecting", location, wait_accessing, NULL);
    g_free(location);
    fake_blackhole_stop(blackhole);
}
GST_END_TEST;

GST_START_TEST(null_is_quick_while_waiting_for_the_next_try)
{
    char *location = g_strdup_printf("http://127.0.0.1:%u/session/test", fake_closed_port());

    cycle("back-off", location, wait_waiting, NULL);
    g_free(location);
}
GST_END_TEST;

static const struct {
    const char *name;
    enum fake_behaviour behaviour;
    bool secure;
    void (*wait_phase)(GstElement *sink, struct fake_relay *relay, guint cycle);
} phases[] = {
    {"TLS handshake", FAKE_SILENT_ACCESS, true, wait_accessing},
    {"access request", FAKE_SILENT_ACCESS, false, wait_request},
    {"WebSocket handshake", FAKE_SILENT_UPGRADE, false, wait_opened},
    {"connected", FAKE_SERVE, false, wait_connected},
    {"refused", FAKE_REFUSE, false, wait_waiting},
};

GST_START_TEST(null_is_quick_in_each_phase_of_the_relay)
{
    struct fake_relay *relay = fake_relay_start();
    char *location = fake_relay_location(relay, phases[__i__].secure);

    fake_relay_set_behaviour(relay, phases[__i__].behaviour);
    cycle(phases[__i__].name, location, phases[__i__].wait_phase, relay);
    g_free(location);
    fake_relay_stop(relay);
}
GST_END_TEST;

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
        struct sink_fixture fixture;
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
        gst_element_set_state(fixture.sink, GST_STATE_NULL);
        timing_add(&stop, begun_us);
        fixture_deinit(&fixture);
    }
    timing_check(&push, 99, NULL_LIMIT_US, "push into a stall");
    timing_check(&stop, 80, NULL_LIMIT_US, "stop in a stall");
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
    wait_state(sink, waits ? "waiting" : "connected");
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
    struct sink_fixture fixture;
    GstMessage *message;
    gint64 begun_us;

    fixture_init(&fixture);
    fake_relay_set_behaviour(fixture.relay, FAKE_SILENT_ACCESS);
    fixture_play(&fixture, "image/jpeg");
    fail_unless_equals_int(gst_harness_push(fixture.harness, jpeg_of(100, 1)), GST_FLOW_OK);
    begun_us = g_get_monotonic_time();
    fail_unless(gst_harness_push_event(fixture.harness, gst_event_new_eos()));
    message = fixture_wait_message(&fixture, GST_MESSAGE_EOS);
    fail_unless(g_get_monotonic_time() - begun_us < on_this_machine(500 * 1000 * TIME_SCALE));
    gst_message_unref(message);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(end_of_stream_waits_for_a_slow_relay_as_long_as_eos_timeout)
{
    struct sink_fixture fixture;
    gint64 begun_us, took_us;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "eos-timeout", 300, "max-queue-time", (guint64)0, NULL);
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
    fail_unless(took_us < on_this_machine(5000 * 1000 * TIME_SCALE), "%" G_GINT64_FORMAT " us",
                took_us);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(who_waits_waits_for_the_end_as_long_as_it_moves)
{
    struct sink_fixture fixture;
    gint64 begun_us, took_us;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "eos-timeout", 300 * TIME_SCALE, "wait-for-connection", TRUE, NULL);
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
    struct sink_fixture fixture;
    GstMessage *message;
    GError *error = NULL;
    gint64 begun_us;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "eos-timeout", 300, "wait-for-connection", TRUE, NULL);
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
    struct sink_fixture *fixture = data;

    gst_harness_push_event(fixture->harness, gst_event_new_eos());
    return NULL;
}

GST_START_TEST(null_ends_the_drain_at_the_end_of_the_stream)
{
    struct sink_fixture fixture;
    struct timing stop = {.count = 0};
    GThread *pusher;
    gint64 begun_us;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "eos-timeout", 60000, "max-queue-time", (guint64)0,
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
    gst_element_set_state(fixture.sink, GST_STATE_NULL);
    timing_add(&stop, begun_us);
    g_thread_join(pusher);
    timing_check(&stop, 100, 4 * NULL_LIMIT_US, "stop in a drain");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_flush_drops_the_queue_and_keeps_the_connection)
{
    struct sink_fixture fixture;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "max-queue-time", (guint64)0, NULL);
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
    struct sink_fixture fixture;

    fixture_init(&fixture);
    gst_element_set_state(fixture.sink, GST_STATE_READY);
    fake_relay_wait_connections(fixture.relay, 1);
    g_object_set(fixture.sink, "location", location, NULL);
    gst_element_set_state(fixture.sink, GST_STATE_PAUSED);
    fake_relay_wait_connections(other, 1);
    fixture_deinit(&fixture);
    fake_relay_stop(other);
    g_free(location);
}
GST_END_TEST;

GST_START_TEST(settings_that_cannot_work_stay_an_error_until_they_are_put_right)
{
    struct sink_fixture fixture;
    char *location;

    fixture_init(&fixture);
    location = fake_relay_location(fixture.relay, false);
    gst_element_set_state(fixture.sink, GST_STATE_READY);
    g_object_set(fixture.sink, "location", "", NULL);
    for (guint i = 0; i < 2; i++) {
        fail_unless_equals_int(gst_element_set_state(fixture.sink, GST_STATE_PLAYING),
                               GST_STATE_CHANGE_FAILURE);
        gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_ERROR));
    }
    g_object_set(fixture.sink, "location", location, NULL);
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
    struct sink_fixture fixture;
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
    struct sink_fixture fixture;
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
    tcase_add_test(tests, null_is_quick_while_resolving);
    tcase_add_test(tests, null_is_quick_while_connecting);
    tcase_add_test(tests, null_is_quick_while_waiting_for_the_next_try);
    tcase_add_loop_test(tests, null_is_quick_in_each_phase_of_the_relay, 0, G_N_ELEMENTS(phases));
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
