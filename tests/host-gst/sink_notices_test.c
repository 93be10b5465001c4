/* Goal: a user hears once, with cause and cure, of a stream that viewers cannot use. Method:
 * streams without caps, as a pipe brings them, and settings that cannot work. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"
#include "tests/unit/wire/media/mpegts_tables.h"

enum { PACKETS = 20, PACKET_ROOM = 16 };

/* The WARNING stream/format that is on the bus names this; no other follows. */
static void expect_warning(struct fixture *fixture, const char *cause, const char *cure)
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

static void play_connected(struct fixture *fixture, const char *caps)
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
    struct fixture fixture;

    for (guint i = 0; i < PACKETS; i++) {
        craft_packet(&(struct craft){.pid = PID_VIDEO}, data + i * size + sizes[__i__].before);
    }
    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "framing", sizes[__i__].framing);
    play_connected(&fixture, NULL);
    for (guint i = 0; i < 3; i++) {
        fail_unless_equals_int(
            gst_harness_push(fixture.harness, fixture_buffer(data, PACKETS * size)), GST_FLOW_OK);
    }
    expect_warning(&fixture, sizes[__i__].cause, sizes[__i__].cure);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* --- where viewers can start --- */

#define TS_CAPS "video/mpegts, systemstream=true, packetsize=188"
#define START   0, 0, 1

enum { UNIT_MAX = 16, TYPE_H264 = 0x1b, TYPE_H265 = 0x24, TYPE_MPEG2 = 2, TYPE_AUDIO = 3 };

struct unit {
    guint8 bytes[UNIT_MAX];
    gsize len;
};
#define UNIT(...)                                                                                  \
    {                                                                                              \
        {__VA_ARGS__}, sizeof((guint8[]){__VA_ARGS__})                                             \
    }

static const struct {
    guint8 type;
    struct unit key, bare_key, other;
} codecs[] = {
    {TYPE_H264, UNIT(START, 0x67, 1, START, 0x68, 1, START, 0x65, 0x88), UNIT(START, 0x65, 0x88),
     UNIT(START, 0x41, 0x9a)},
    {TYPE_H265, UNIT(START, 0x40, START, 0x42, START, 0x44, START, 0x2a), UNIT(START, 0x2a, 1),
     UNIT(START, 0x02, 1)},
    {TYPE_MPEG2, UNIT(START, 0xb3, 1, START, 0, 0, 0x08), UNIT(START, 0, 0, 0x08),
     UNIT(START, 0, 0, 0x10)},
};

static void push_packet(struct fixture *fixture, const guint8 *packet)
{
    fail_unless_equals_int(
        gst_harness_push(fixture->harness, fixture_buffer(packet, MPEGTS_PACKET_SIZE)),
        GST_FLOW_OK);
}

static void push_picture(struct fixture *fixture, const struct unit *unit, bool marked)
{
    guint8 packet[MPEGTS_PACKET_SIZE];

    craft_picture(unit->bytes, unit->len, marked, packet);
    push_packet(fixture, packet);
}

static void play_stream(struct fixture *fixture, guint8 type, uint16_t pid)
{
    guint8 packet[MPEGTS_PACKET_SIZE];

    fixture_init(fixture);
    play_connected(fixture, TS_CAPS);
    craft_pat(packet);
    push_packet(fixture, packet);
    craft_pmt(type, pid, packet);
    push_packet(fixture, packet);
}

GST_START_TEST(pictures_tell_where_to_start_when_nothing_marks_it)
{
    struct fixture fixture;
    guint8 packet[MPEGTS_PACKET_SIZE];

    play_stream(&fixture, codecs[__i__].type, PID_VIDEO);
    push_picture(&fixture, &codecs[__i__].other, false); /* no viewer could start here */
    push_picture(&fixture, &codecs[__i__].key, false);
    push_picture(&fixture, &codecs[__i__].other, false);
    push_picture(&fixture, &codecs[__i__].key, false);
    craft_picture(codecs[__i__].key.bytes, codecs[__i__].key.len, false, packet);
    fixture_expect_message(&fixture, 0, packet, sizeof packet);
    fixture_expect_message(&fixture, 2, packet, sizeof packet);
    fixture_wait_count(&fixture, "keyframes-sent", 2);
    expect_warning(&fixture, "random_access_indicator", "found by their pictures");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(keyframes_without_parameters_are_warned_of)
{
    struct fixture fixture;

    play_stream(&fixture, codecs[__i__].type, PID_VIDEO);
    push_picture(&fixture, &codecs[__i__].key, true);
    for (guint i = 0; i < 5; i++) {
        push_picture(&fixture, &codecs[__i__].bare_key, true);
        push_picture(&fixture, &codecs[__i__].other, false);
    }
    expect_warning(&fixture, "without the parameters", "config-interval=-1");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_stream_that_has_all_is_not_warned_of)
{
    struct fixture fixture;

    play_stream(&fixture, codecs[__i__].type, PID_VIDEO);
    for (guint i = 0; i < 5; i++) {
        push_picture(&fixture, &codecs[__i__].key, true);
        push_picture(&fixture, &codecs[__i__].bare_key, true);
        push_picture(&fixture, &codecs[__i__].other, false);
    }
    fake_relay_wait_messages(fixture.relay, 15);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* In lists, as of mpegtsmux, and as a pipe brings it. */
GST_START_TEST(a_stream_without_video_starts_at_once)
{
    struct fixture fixture;
    guint8 packet[MPEGTS_PACKET_SIZE];
    gint64 begun_us;

    play_stream(&fixture, TYPE_AUDIO, PID_AUDIO);
    craft_packet(
        &(struct craft){.pid = PID_AUDIO, .starts_pes = true, .stream_id = STREAM_ID_AUDIO},
        packet);
    begun_us = g_get_monotonic_time();
    if (__i__ == 0) {
        push_packet(&fixture, packet);
        fake_relay_wait_messages(fixture.relay, 1);
    } else {
        for (guint i = 0; i < 2; i++) {
            GstBufferList *list = gst_buffer_list_new();

            gst_buffer_list_add(list, fixture_buffer(packet, sizeof packet));
            fail_unless_equals_int(gst_pad_push_list(fixture.harness->srcpad, list), GST_FLOW_OK);
            fake_relay_wait_messages(fixture.relay, 1 + i);
        }
    }
    /* After 5 s anything would go. */
    fail_unless(g_get_monotonic_time() - begun_us < 4 * G_TIME_SPAN_SECOND);
    expect_warning(&fixture, "no video", "link a video stream");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_stream_that_shows_no_keyframe_is_sent_after_a_while_with_a_warning)
{
    struct fixture fixture;
    const struct unit nothing = UNIT(0xaa);
    gint64 begun_us = g_get_monotonic_time();

    fixture_init(&fixture);
    play_connected(&fixture, TS_CAPS);
    while (fake_relay_messages(fixture.relay) == 0) {
        push_picture(&fixture, &nothing, false);
        fail_unless(g_get_monotonic_time() - begun_us < 15 * G_TIME_SPAN_SECOND);
        g_usleep(20 * 1000); /* a camera's pace */
    }
    expect_warning(&fixture, "no keyframe for 5 s", "PAT, PMT");
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const char *const multipart_caps[] = {NULL, "multipart/x-mixed-replace, boundary=frame"};

GST_START_TEST(multipart_bytes_are_sent_as_they_are_with_a_warning)
{
    static const char part[] = "--frame\r\nContent-Type: image/jpeg\r\n\r\n\xff\xd8\xff\xd9\r\n";
    struct fixture fixture;

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
    struct fixture fixture;

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
    struct fixture fixture;
    GstMessage *message;
    GError *error = NULL;

    fixture_init(&fixture);
    g_object_set(fixture.element, "location", "http://relay.example.org/session/test", NULL);
    fail_unless_equals_int(gst_element_set_state(fixture.element, GST_STATE_READY),
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
    tcase_add_loop_test(tests, pictures_tell_where_to_start_when_nothing_marks_it, 0,
                        G_N_ELEMENTS(codecs));
    tcase_add_loop_test(tests, keyframes_without_parameters_are_warned_of, 0, G_N_ELEMENTS(codecs));
    tcase_add_loop_test(tests, a_stream_that_has_all_is_not_warned_of, 0, G_N_ELEMENTS(codecs));
    tcase_add_loop_test(tests, a_stream_without_video_starts_at_once, 0, 2);
    tcase_add_test(tests, a_stream_that_shows_no_keyframe_is_sent_after_a_while_with_a_warning);
    tcase_add_loop_test(tests, other_data_is_not_warned_of, 0, G_N_ELEMENTS(other_data));
    tcase_add_test(tests, plain_http_to_another_machine_is_refused_in_the_elements_own_words);
    return suite;
}

GST_CHECK_MAIN(sink_notices);
