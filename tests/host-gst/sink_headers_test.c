/* Goal: the stream headers of a container go first on each connection, once, as GStreamer's own
 * network sinks send them. Method: caps with "streamheader" and crafted buffers; connections that
 * end. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"

/* As muxers flag a header that they push before the caps which name it. */
static const GstBufferFlags EARLY_HEADER =
    (GstBufferFlags)(GST_BUFFER_FLAG_HEADER | GST_BUFFER_FLAG_DELTA_UNIT);

static GstBuffer *flagged(const char *text, GstBufferFlags flags)
{
    GstBuffer *buffer = fixture_buffer(text, strlen(text));

    GST_BUFFER_FLAG_SET(buffer, flags);
    return buffer;
}

static void push(struct fixture *fixture, const char *text, GstBufferFlags flags)
{
    fail_unless_equals_int(gst_harness_push(fixture->harness, flagged(text, flags)), GST_FLOW_OK);
}

static void push_caps(struct fixture *fixture, const char *name, const char *const *headers)
{
    GstCaps *caps = gst_caps_new_empty_simple(name);
    GValue array = G_VALUE_INIT, value = G_VALUE_INIT;

    g_value_init(&array, GST_TYPE_ARRAY);
    for (; *headers != NULL; headers++) {
        g_value_init(&value, GST_TYPE_BUFFER);
        gst_value_take_buffer(&value, fixture_buffer(*headers, strlen(*headers)));
        gst_value_array_append_and_take_value(&array, &value);
        memset(&value, 0, sizeof value);
    }
    gst_structure_take_value(gst_caps_get_structure(caps, 0), "streamheader", &array);
    fail_unless(gst_harness_push_event(fixture->harness, gst_event_new_caps(caps)));
    gst_caps_unref(caps);
}

static void play_connected(struct fixture *fixture)
{
    fixture_init(fixture);
    fixture_play(fixture, "video/x-any");
    fixture_wait_state(fixture, "connected");
}

/* From the first message on, or since they were forgotten. */
static void expect_texts(struct fixture *fixture, const char *const *texts)
{
    guint count = 0;

    for (; texts[count] != NULL; count++) {
        fixture_expect_message(fixture, count, texts[count], strlen(texts[count]));
    }
    fail_unless_equals_int(fake_relay_messages(fixture->relay), count);
}

static void reconnect(struct fixture *fixture)
{
    fake_relay_close_sockets(fixture->relay, 1001);
    fixture_wait_state(fixture, "connected");
    fake_relay_forget_messages(fixture->relay);
}

static const char *const flv[] = {"FLV", "metadata", NULL};

GST_START_TEST(headers_go_first_on_each_connection)
{
    struct fixture fixture;

    play_connected(&fixture);
    push_caps(&fixture, "video/x-flv", flv);
    push(&fixture, "FLV", GST_BUFFER_FLAG_HEADER);
    push(&fixture, "metadata", EARLY_HEADER);
    push(&fixture, "key", 0);
    push(&fixture, "delta", GST_BUFFER_FLAG_DELTA_UNIT);
    expect_texts(&fixture, (const char *const[]){"FLV", "metadata", "key", "delta", NULL});
    for (guint i = 0; i < 2; i++) {
        reconnect(&fixture);
        push(&fixture, "delta", GST_BUFFER_FLAG_DELTA_UNIT); /* cannot be understood alone */
        push(&fixture, "key again", 0);
        push(&fixture, "delta again", GST_BUFFER_FLAG_DELTA_UNIT);
        expect_texts(&fixture,
                     (const char *const[]){"FLV", "metadata", "key again", "delta again", NULL});
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* As webmmux does it, which also cuts the same bytes otherwise. */
GST_START_TEST(headers_that_come_before_their_caps_are_not_sent_twice)
{
    struct fixture fixture;

    play_connected(&fixture);
    push(&fixture, "EBML", EARLY_HEADER);
    push(&fixture, "Segment", EARLY_HEADER);
    push_caps(&fixture, "video/webm", (const char *const[]){"EBMLSegment", NULL});
    push(&fixture, "cluster", 0);
    expect_texts(&fixture, (const char *const[]){"EBMLSegment", "cluster", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(headers_that_no_caps_name_pass_as_they_came)
{
    struct fixture fixture;

    play_connected(&fixture);
    push(&fixture, "one", EARLY_HEADER);
    push(&fixture, "two", 0);
    push(&fixture, "key", GST_BUFFER_FLAG_HEADER); /* with parameter sets, as of h264parse */
    expect_texts(&fixture, (const char *const[]){"one", "two", "key", NULL});
    push_caps(&fixture, "video/quicktime", (const char *const[]){"ftypmoov", NULL});
    push(&fixture, "moof", GST_BUFFER_FLAG_HEADER); /* of a fragment, as isofmp4mux flags it */
    fixture_expect_message(&fixture, 3, "ftypmoov", 8);
    fixture_expect_message(&fixture, 4, "moof", 4);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(withheld_headers_go_at_the_end_of_the_stream)
{
    struct fixture fixture;

    play_connected(&fixture);
    push(&fixture, "all there is", EARLY_HEADER);
    gst_harness_push_event(fixture.harness, gst_event_new_eos());
    expect_texts(&fixture, (const char *const[]){"all there is", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(new_headers_go_between_what_they_part)
{
    struct fixture fixture;

    play_connected(&fixture);
    push_caps(&fixture, "application/ogg", (const char *const[]){"first", NULL});
    push(&fixture, "a", 0);
    push_caps(&fixture, "application/ogg", (const char *const[]){"first", NULL}); /* no change */
    push(&fixture, "b", 0);
    push_caps(&fixture, "application/ogg", (const char *const[]){"second", NULL});
    push(&fixture, "c", 0);
    gst_harness_set_src_caps_str(fixture.harness, "application/ogg");
    push(&fixture, "d", 0);
    expect_texts(&fixture, (const char *const[]){"first", "a", "b", "second", "c", "d", NULL});
    reconnect(&fixture);
    push(&fixture, "e", 0);
    expect_texts(&fixture, (const char *const[]){"e", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* Messages queued earlier need the headers of their time. */
GST_START_TEST(what_waited_for_the_connection_comes_behind_its_own_headers)
{
    struct fixture fixture;

    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "drop-policy", "none");
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play(&fixture, "video/x-any");
    fixture_wait_state(&fixture, "waiting");
    push_caps(&fixture, "video/x-flv", flv);
    push(&fixture, "a", 0);
    push_caps(&fixture, "video/x-flv", (const char *const[]){"FLV", "other metadata", NULL});
    push(&fixture, "b", 0);
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    expect_texts(&fixture,
                 (const char *const[]){"FLV", "metadata", "a", "FLV", "other metadata", "b", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(lists_lose_the_headers_of_the_caps)
{
    struct fixture fixture;
    GstBufferList *list = gst_buffer_list_new();

    play_connected(&fixture);
    push_caps(&fixture, "video/quicktime", (const char *const[]){"ftypmoov", NULL});
    gst_buffer_list_add(list, flagged("ftypmoov", GST_BUFFER_FLAG_HEADER));
    gst_buffer_list_add(list, flagged("moof", GST_BUFFER_FLAG_HEADER));
    gst_buffer_list_add(list, flagged("mdat", GST_BUFFER_FLAG_DELTA_UNIT));
    fail_unless_equals_int(gst_pad_push_list(fixture.harness->srcpad, list), GST_FLOW_OK);
    expect_texts(&fixture, (const char *const[]){"ftypmoov", "moofmdat", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* Tables are repeated in the stream; copies of them would break its continuity counters. */
GST_START_TEST(headers_of_a_transport_stream_are_left_out)
{
    struct fixture fixture;

    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "framing", "buffer");
    gst_util_set_object_arg(G_OBJECT(fixture.element), "drop-policy", "oldest");
    fixture_play(&fixture, "video/x-any");
    fixture_wait_state(&fixture, "connected");
    push_caps(&fixture, "video/mpegts", (const char *const[]){"PAT", "PMT", NULL});
    push(&fixture, "PAT", GST_BUFFER_FLAG_HEADER);
    expect_texts(&fixture, (const char *const[]){"PAT", NULL});
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(headers_above_10_mib_are_left_out_with_a_warning)
{
    struct fixture fixture;
    char *large = g_strnfill((10 << 20) + 1, 'x');

    play_connected(&fixture);
    push_caps(&fixture, "video/x-flv", (const char *const[]){large, NULL});
    gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_WARNING));
    push(&fixture, "key", 0);
    expect_texts(&fixture, (const char *const[]){"key", NULL});
    g_free(large);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *sink_headers_suite(void)
{
    Suite *suite = suite_create("sink_headers");
    TCase *tests = tcase_create("headers");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, headers_go_first_on_each_connection);
    tcase_add_test(tests, headers_that_come_before_their_caps_are_not_sent_twice);
    tcase_add_test(tests, headers_that_no_caps_name_pass_as_they_came);
    tcase_add_test(tests, withheld_headers_go_at_the_end_of_the_stream);
    tcase_add_test(tests, new_headers_go_between_what_they_part);
    tcase_add_test(tests, what_waited_for_the_connection_comes_behind_its_own_headers);
    tcase_add_test(tests, lists_lose_the_headers_of_the_caps);
    tcase_add_test(tests, headers_of_a_transport_stream_are_left_out);
    tcase_add_test(tests, headers_above_10_mib_are_left_out_with_a_warning);
    return suite;
}

GST_CHECK_MAIN(sink_headers);
