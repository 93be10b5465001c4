/* Goal: each message becomes a buffer with the right caps; a video starts, and goes on after a gap,
 * with a keyframe; nothing stale is passed on. Method: messages sent by a fake relay to a harness;
 * crafted transport streams. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"
#include "tests/unit/wire/media/mpegts_tables.h"

enum { FRAME_PACKETS = 4, FRAME = FRAME_PACKETS * MPEGTS_PACKET_SIZE, TYPE_H264 = 0x1b };

#define TS_CAPS "video/mpegts, systemstream=(boolean)true, packetsize=(int)188"

/* One frame whose last packet is stuffed, so that its end shows. */
static void frame_make(guint8 frame[static FRAME], guint8 number, bool key)
{
    struct craft packet = {.pid = PID_VIDEO,
                           .starts_pes = true,
                           .stream_id = STREAM_ID_VIDEO,
                           .random_access = key,
                           .filler = number};

    craft_packet(&packet, frame);
    packet.starts_pes = packet.random_access = false;
    for (guint i = 1; i < FRAME_PACKETS; i++) {
        packet.payload_len = i == FRAME_PACKETS - 1 ? 30 : 0;
        craft_packet(&packet, frame + i * MPEGTS_PACKET_SIZE);
    }
}

static void tables_make(guint8 tables[static 2 * MPEGTS_PACKET_SIZE])
{
    craft_pat(tables);
    craft_pmt(TYPE_H264, PID_VIDEO, tables + MPEGTS_PACKET_SIZE);
}

static void send_bytes(struct fixture *fixture, const void *data, gsize len)
{
    fake_relay_send(fixture->relay, FAKE_BINARY, data, len);
}

static void send_text(struct fixture *fixture, const char *text)
{
    fake_relay_send(fixture->relay, FAKE_TEXT, text, strlen(text));
}

static void send_tables(struct fixture *fixture)
{
    guint8 tables[2 * MPEGTS_PACKET_SIZE];

    tables_make(tables);
    send_bytes(fixture, tables, sizeof tables);
}

static void send_frame(struct fixture *fixture, guint8 number, bool key)
{
    guint8 frame[FRAME];

    frame_make(frame, number, key);
    send_bytes(fixture, frame, sizeof frame);
}

static void play_connected(struct fixture *fixture)
{
    fixture_play_src(fixture);
    fixture_wait_state(fixture, "connected");
}

/* The next buffer has this content. */
static void expect_buffer(struct fixture *fixture, const void *data, gsize len, bool discont)
{
    GstBuffer *buffer = gst_harness_pull(fixture->harness);

    fail_unless(buffer != NULL, "no buffer");
    gst_check_buffer_data(buffer, data, len);
    fail_unless_equals_int(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT), discont);
    fail_unless(GST_BUFFER_PTS_IS_VALID(buffer) || GST_BUFFER_DTS_IS_VALID(buffer));
    gst_buffer_unref(buffer);
}

static void expect_text(struct fixture *fixture, const char *text, bool discont)
{
    expect_buffer(fixture, text, strlen(text), discont);
}

static void expect_frame(struct fixture *fixture, guint8 number, bool key, bool discont)
{
    guint8 frame[FRAME];

    frame_make(frame, number, key);
    expect_buffer(fixture, frame, sizeof frame, discont);
}

/* The next buffer is this frame, the first behind a gap: tables stand in front of it. */
static void expect_entry(struct fixture *fixture, guint8 number)
{
    GstBuffer *buffer = gst_harness_pull(fixture->harness);
    guint8 frame[FRAME];
    GstMapInfo map;

    frame_make(frame, number, true);
    fail_unless(buffer != NULL, "no buffer");
    fail_unless(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    fail_unless(gst_buffer_map(buffer, &map, GST_MAP_READ));
    fail_unless(map.size >= 2 * MPEGTS_PACKET_SIZE + FRAME && map.size % MPEGTS_PACKET_SIZE == 0);
    fail_unless_equals_int((map.data[1] & 0x1f) << 8 | map.data[2], MPEGTS_PID_PAT);
    fail_unless(memcmp(map.data + map.size - FRAME, frame, FRAME) == 0, "frame %u", number);
    gst_buffer_unmap(buffer, &map);
    gst_buffer_unref(buffer);
}

static void expect_caps(struct fixture *fixture, const char *text)
{
    GstCaps *caps = gst_pad_get_current_caps(fixture->harness->sinkpad);
    GstCaps *expected = gst_caps_from_string(text);

    fail_unless(caps != NULL && gst_caps_is_equal(caps, expected), "%" GST_PTR_FORMAT, caps);
    gst_caps_unref(caps);
    gst_caps_unref(expected);
}

GST_START_TEST(each_message_is_a_buffer)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    send_text(&fixture, "first\n");
    send_bytes(&fixture, "\0\1\2", 3);
    send_text(&fixture, "");
    send_text(&fixture, "last\n");
    expect_text(&fixture, "first\n", true);
    expect_buffer(&fixture, "\0\1\2", 3, false);
    expect_text(&fixture, "last\n", false);
    expect_caps(&fixture, "text/x-raw, format=(string)utf8");
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-received"), 4);
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-passed"), 3);
    fail_unless_equals_uint64(fixture_count(&fixture, "gaps"), 1);
    fail_unless(fixture_count(&fixture, "age-max") > 0);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const guint8 jpeg[] = {0xff, 0xd8, 0xff, 0xdb, 0,    3,    7,    0xff,
                              0xda, 0,    3,    1,    0x11, 0x22, 0xff, 0xd9};
static const guint8 webm[] = {0x1a, 0x45, 0xdf, 0xa3, 0x93, 0x42, 0x82, 0x88, 'm',  'a', 't',
                              'r',  'o',  's',  'k',  'a',  0x42, 0x87, 0x81, 0x01, 0,   0};

static const struct {
    const void *data;
    gsize len;
    const char *caps;
} shown[] = {
    {jpeg, sizeof jpeg, "image/jpeg"},
    {"\1\2\3", 3, "application/octet-stream"},
    {webm, sizeof webm, "application/octet-stream"}, /* without the plugin that finds types */
};

GST_START_TEST(messages_show_what_they_are)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    send_bytes(&fixture, shown[__i__].data, shown[__i__].len);
    expect_buffer(&fixture, shown[__i__].data, shown[__i__].len, true);
    expect_caps(&fixture, shown[__i__].caps);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(another_kind_of_stream_has_other_caps)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    send_text(&fixture, "data");
    expect_text(&fixture, "data", true);
    send_bytes(&fixture, jpeg, sizeof jpeg);
    expect_buffer(&fixture, jpeg, sizeof jpeg, true);
    expect_caps(&fixture, "image/jpeg");
    send_tables(&fixture);
    send_frame(&fixture, 1, true);
    gst_buffer_unref(gst_harness_pull(fixture.harness));
    expect_caps(&fixture, TS_CAPS);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(caps_that_are_given_stay)
{
    struct fixture fixture;
    GstCaps *caps = gst_caps_from_string("application/x-test");
    GstCaps *read = NULL;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "caps", caps, NULL);
    g_object_get(fixture.element, "caps", &read, NULL);
    fail_unless(gst_caps_is_equal(caps, read));
    gst_caps_unref(read);
    gst_caps_unref(caps);
    play_connected(&fixture);
    send_bytes(&fixture, jpeg, sizeof jpeg);
    expect_buffer(&fixture, jpeg, sizeof jpeg, true);
    expect_caps(&fixture, "application/x-test");
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_video_starts_with_its_tables_and_a_keyframe)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    send_frame(&fixture, 0, true); /* it cannot be decoded: there were no tables */
    send_frame(&fixture, 1, false);
    send_tables(&fixture);
    send_frame(&fixture, 2, false);
    send_frame(&fixture, 3, true);
    send_frame(&fixture, 4, false);
    expect_entry(&fixture, 3);
    expect_frame(&fixture, 4, false, false);
    expect_caps(&fixture, TS_CAPS);
    fail_unless_equals_uint64(fixture_count(&fixture, "drops-keyframe"), 4);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_video_in_arbitrary_pieces_starts_with_a_keyframe)
{
    enum { FRAMES = 8, KEY = 3, PIECE = 701, LEFT = (FRAMES - KEY) * FRAME };
    guint8 stream[2 * MPEGTS_PACKET_SIZE + FRAMES * FRAME];
    GByteArray *got = g_byte_array_new();
    struct fixture fixture;
    guint32 last;

    fixture_init_src(&fixture);
    tables_make(stream);
    for (guint i = 0; i < FRAMES; i++) {
        frame_make(stream + 2 * MPEGTS_PACKET_SIZE + i * FRAME, (guint8)i, i == KEY);
    }
    play_connected(&fixture);
    for (gsize done = 0; done < sizeof stream; done += PIECE) {
        send_bytes(&fixture, stream + done, MIN(PIECE, sizeof stream - done));
    }
    do {
        GstBuffer *buffer = gst_harness_pull(fixture.harness);

        fail_unless(buffer != NULL, "no buffer");
        last = got->len;
        g_byte_array_set_size(got, got->len + (guint)gst_buffer_get_size(buffer));
        gst_buffer_extract(buffer, 0, got->data + last, G_MAXSIZE);
        gst_buffer_unref(buffer);
    } while (got->len < LEFT ||
             memcmp(got->data + got->len - 30, stream + sizeof stream - 30, 30) != 0);
    fail_unless_equals_int(got->len % MPEGTS_PACKET_SIZE, 0);
    fail_unless_equals_int((got->data[1] & 0x1f) << 8 | got->data[2], MPEGTS_PID_PAT);
    fail_unless(memcmp(got->data + got->len - LEFT, stream + sizeof stream - LEFT, LEFT) == 0);
    g_byte_array_unref(got);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(after_a_reconnect_a_video_goes_on_with_a_keyframe)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    play_connected(&fixture);
    send_tables(&fixture);
    send_frame(&fixture, 1, true);
    gst_buffer_unref(gst_harness_pull(fixture.harness));
    fake_relay_close_sockets(fixture.relay, 1001);
    fixture_wait_state(&fixture, "connected");
    send_frame(&fixture, 2, false);
    send_frame(&fixture, 3, true);
    send_frame(&fixture, 4, false);
    expect_entry(&fixture, 3);
    expect_frame(&fixture, 4, false, false);
    fail_unless_equals_uint64(fixture_count(&fixture, "gaps"), 2);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(recover_none_passes_everything)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "recover", "none");
    gst_util_set_object_arg(G_OBJECT(fixture.element), "caps", TS_CAPS);
    play_connected(&fixture);
    send_frame(&fixture, 1, false);
    expect_frame(&fixture, 1, false, true);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* A live source takes nothing while it is PAUSED. */
static void pause_until_stale(struct fixture *fixture, guint queued)
{
    fail_unless(gst_element_set_state(fixture->element, GST_STATE_PAUSED) !=
                GST_STATE_CHANGE_FAILURE);
    for (guint i = 0; i < queued; i++) {
        send_text(fixture, "stale");
    }
    fixture_wait_count(fixture, "messages-received", queued);
    g_usleep(60 * 1000); /* their age is what is tested */
    fail_unless(gst_element_set_state(fixture->element, GST_STATE_PLAYING) !=
                GST_STATE_CHANGE_FAILURE);
}

GST_START_TEST(a_stale_message_is_not_passed_on)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "max-age", (guint64)(50 * GST_MSECOND), NULL);
    play_connected(&fixture);
    pause_until_stale(&fixture, 3);
    send_text(&fixture, "fresh");
    expect_text(&fixture, "fresh", true);
    fail_unless_equals_uint64(fixture_count(&fixture, "drops-age"), 3);
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-dropped"), 3);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(without_a_max_age_everything_is_passed_on)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "max-age", (guint64)(50 * GST_MSECOND), NULL);
    g_object_set(fixture.element, "max-age", (guint64)0, NULL);
    play_connected(&fixture);
    pause_until_stale(&fixture, 2);
    expect_text(&fixture, "stale", true);
    expect_text(&fixture, "stale", false);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(the_oldest_make_room)
{
    struct fixture fixture;

    fixture_init_src(&fixture);
    g_object_set(fixture.element, "max-age", (guint64)0, "max-queue-bytes", (guint64)1, NULL);
    play_connected(&fixture);
    pause_until_stale(&fixture, 5);
    expect_text(&fixture, "stale", true);
    fail_unless_equals_uint64(fixture_count(&fixture, "drops-overflow"), 4);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *src_messages_suite(void)
{
    Suite *suite = suite_create("src_messages");
    TCase *tests = tcase_create("messages");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, each_message_is_a_buffer);
    tcase_add_loop_test(tests, messages_show_what_they_are, 0, G_N_ELEMENTS(shown));
    tcase_add_test(tests, another_kind_of_stream_has_other_caps);
    tcase_add_test(tests, caps_that_are_given_stay);
    tcase_add_test(tests, a_video_starts_with_its_tables_and_a_keyframe);
    tcase_add_test(tests, a_video_in_arbitrary_pieces_starts_with_a_keyframe);
    tcase_add_test(tests, after_a_reconnect_a_video_goes_on_with_a_keyframe);
    tcase_add_test(tests, recover_none_passes_everything);
    tcase_add_test(tests, a_stale_message_is_not_passed_on);
    tcase_add_test(tests, without_a_max_age_everything_is_passed_on);
    tcase_add_test(tests, the_oldest_make_room);
    return suite;
}

GST_CHECK_MAIN(src_messages);
