/* Goal: a user hears once, with cause and cure, of a stream that viewers cannot use. Method:
 * streams without caps, as a pipe brings them, and settings that cannot work. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/sink_fixture.h"
#include "tests/unit/wire/mpegts_packets.h"

enum { PACKETS = 20, PACKET_ROOM = 16 };

/* The WARNING stream/format that is on the bus names this; no other follows. */
static void expect_warning(struct sink_fixture *fixture, const char *cause, const char *cure)
{
    GstMessage *message = fixture_wait_message(fixture, GST_MESSAGE_WARNING);
    GError *error = NULL;

    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT));
    fail_unless(strstr(error->message, cause) != NULL, "%s", error->message);
    fail_unless(strstr(error->message, cure) != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    fixture_expect_none(fixture, GST_MESSAGE_WARNING);
}

static void play_connected(struct sink_fixture *fixture, const char *caps)
{
    fixture_play(fixture, caps);
    fixture_wait_state(fixture, "connected");
}

static const struct {
    const char *framing;
    gsize before, behind;
    const char *cause, *cure;
} sizes[] = {
    {"auto", 4, 0, "192 bytes", "m2ts-mode=false"},
    {"frame", 4, 0, "192 bytes", "m2ts-mode=false"},
    {"auto", 0, 16, "204 bytes", "ffmpeg"},
};

GST_START_TEST(packets_of_other_sizes_from_a_pipe_are_warned_of)
{
    gsize size = sizes[__i__].before + MPEGTS_PACKET_SIZE + sizes[__i__].behind;
    guint8 data[PACKETS * (MPEGTS_PACKET_SIZE + PACKET_ROOM)] = {0};
    struct sink_fixture fixture;

    for (guint i = 0; i < PACKETS; i++) {
        craft_packet(&(struct craft){.pid = PID_VIDEO}, data + i * size + sizes[__i__].before);
    }
    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.sink), "framing", sizes[__i__].framing);
    play_connected(&fixture, NULL);
    for (guint i = 0; i < 3; i++) {
        fail_unless_equals_int(
            gst_harness_push(fixture.harness, fixture_buffer(data, PACKETS * size)), GST_FLOW_OK);
    }
    expect_warning(&fixture, sizes[__i__].cause, sizes[__i__].cure);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const char *const multipart_caps[] = {NULL, "multipart/x-mixed-replace, boundary=frame"};

GST_START_TEST(multipart_bytes_are_sent_as_they_are_with_a_warning)
{
    static const char part[] = "--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9\r\n";
    struct sink_fixture fixture;

    fixture_init(&fixture);
    play_connected(&fixture, multipart_caps[__i__]);
    for (guint i = 0; i < 3; i++) {
        gst_harness_push(fixture.harness, fixture_buffer(part, sizeof part - 1));
    }
    expect_warning(&fixture, "multipart", "multipartdemux");
    fixture_expect_message(&fixture, 2, part, sizeof part - 1);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const char *const other_data[] = {"--help me\n", "GPS 1,2,3\n", "\xff\xd8 picture"};

GST_START_TEST(other_data_is_not_warned_of)
{
    struct sink_fixture fixture;

    fixture_init(&fixture);
    play_connected(&fixture, NULL);
    gst_harness_push(fixture.harness, fixture_buffer(other_data[__i__], strlen(other_data[__i__])));
    fake_relay_wait_messages(fixture.relay, 1);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(plain_http_to_another_machine_is_refused_in_the_elements_own_words)
{
    struct sink_fixture fixture;
    GstMessage *message;
    GError *error = NULL;

    fixture_init(&fixture);
    g_object_set(fixture.sink, "location", "http://relay.example.org/session/test", NULL);
    fail_unless_equals_int(gst_element_set_state(fixture.sink, GST_STATE_READY),
                           GST_STATE_CHANGE_FAILURE);
    message = fixture_wait_message(&fixture, GST_MESSAGE_ERROR);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(strstr(error->message, "tls-verify=false") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *sink_notices_suite(void)
{
    Suite *suite = suite_create("sink_notices");
    TCase *tests = tcase_create("notices");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, packets_of_other_sizes_from_a_pipe_are_warned_of, 0,
                        G_N_ELEMENTS(sizes));
    tcase_add_loop_test(tests, multipart_bytes_are_sent_as_they_are_with_a_warning, 0,
                        G_N_ELEMENTS(multipart_caps));
    tcase_add_loop_test(tests, other_data_is_not_warned_of, 0, G_N_ELEMENTS(other_data));
    tcase_add_test(tests, plain_http_to_another_machine_is_refused_in_the_elements_own_words);
    return suite;
}

GST_CHECK_MAIN(sink_notices);
