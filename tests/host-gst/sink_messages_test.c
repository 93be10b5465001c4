/* Goal: what reaches the relay is whole messages of the right kind, one per frame, image or buffer,
 * however the buffers came; and what is lost is lost by the rules. Method: crafted streams pushed
 * into a harness, read back at a fake relay. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"
#include "tests/unit/wire/media/mpegts_packets.h"

#define TS_CAPS "video/mpegts, systemstream=true, packetsize=188"

enum { FRAMES = 20, GOP = 5, PACKETS_MAX = 400, FRAME_PACKETS = 5 };

/* A crafted stream and where its frames end. */
struct stream {
    guint8 data[PACKETS_MAX * MPEGTS_PACKET_SIZE];
    gsize len;
    gsize ends[FRAMES];
    guint frames;
};

static void add_packet(struct stream *stream, struct craft craft)
{
    fail_unless(stream->len + MPEGTS_PACKET_SIZE <= sizeof stream->data);
    craft_packet(&craft, stream->data + stream->len);
    stream->len += MPEGTS_PACKET_SIZE;
}

/* One frame with its number in every full packet; tables in front of keyframes. */
static void add_frame(struct stream *stream, bool key, bool with_length)
{
    guint8 number = (guint8)stream->frames;
    guint first_len = key ? PACKET_PAYLOAD_MAX - 2 : PACKET_PAYLOAD_MAX;
    guint total = first_len + (FRAME_PACKETS - 2) * PACKET_PAYLOAD_MAX + 30;

    if (key) {
        add_packet(stream, (struct craft){.pid = MPEGTS_PID_PAT, .starts_pes = true});
        add_packet(stream, (struct craft){.pid = PID_PMT, .starts_pes = true});
    }
    add_packet(stream, (struct craft){.pid = PID_VIDEO,
                                      .starts_pes = true,
                                      .stream_id = STREAM_ID_VIDEO,
                                      .pes_len = with_length ? (guint16)(total - 6) : 0,
                                      .random_access = key,
                                      .filler = number});
    for (guint i = 2; i < FRAME_PACKETS; i++) {
        add_packet(stream, (struct craft){.pid = PID_VIDEO, .filler = number});
    }
    add_packet(stream, (struct craft){.pid = PID_VIDEO, .payload_len = 30, .filler = number});
    stream->ends[stream->frames++] = stream->len;
}

static void make_stream(struct stream *stream, bool with_length)
{
    stream->len = 0;
    stream->frames = 0;
    for (guint i = 0; i < FRAMES; i++) {
        add_frame(stream, i % GOP == 0, with_length);
    }
}

static gsize frame_begin(const struct stream *stream, guint index)
{
    return index == 0 ? 0 : stream->ends[index - 1];
}

static GstBufferList *list_of(const guint8 *data, gsize len, gsize piece)
{
    GstBufferList *list = gst_buffer_list_new();

    for (gsize done = 0; done < len; done += piece) {
        gst_buffer_list_add(list, fixture_buffer(data + done, MIN(piece, len - done)));
    }
    return list;
}

static void push_frame_list(struct fixture *fixture, const struct stream *stream, guint index)
{
    gsize begin = frame_begin(stream, index);

    fail_unless_equals_int(
        gst_pad_push_list(
            fixture->harness->srcpad,
            list_of(stream->data + begin, stream->ends[index] - begin, MPEGTS_PACKET_SIZE)),
        GST_FLOW_OK);
}

static void push_pieces(struct fixture *fixture, const struct stream *stream, gsize piece)
{
    for (gsize done = 0; done < stream->len; done += piece) {
        fail_unless_equals_int(
            gst_harness_push(fixture->harness,
                             fixture_buffer(stream->data + done, MIN(piece, stream->len - done))),
            GST_FLOW_OK);
    }
}

static void expect_frames(struct fixture *fixture, const struct stream *stream)
{
    fake_relay_wait_messages(fixture->relay, stream->frames);
    for (guint i = 0; i < stream->frames; i++) {
        gsize begin = frame_begin(stream, i);

        fixture_expect_message(fixture, i, stream->data + begin, stream->ends[i] - begin);
    }
    fail_unless_equals_int(fake_relay_messages(fixture->relay), stream->frames);
}

static void play_connected(struct fixture *fixture, const char *caps)
{
    fixture_play(fixture, caps);
    fixture_wait_state(fixture, "connected");
}

/* piece 0: one list per frame. */
static const struct {
    const char *caps;
    gsize piece;
    bool with_length;
} ways[] = {
    {TS_CAPS, 0, true},     {TS_CAPS, 0, false},   {TS_CAPS, 188, true}, {TS_CAPS, 188, false},
    {TS_CAPS, 1316, true},  {NULL, 4096, true},    {NULL, 4096, false},  {NULL, 1000, true},
    {TS_CAPS, 65536, true}, {NULL, 1 << 20, true},
};

GST_START_TEST(lists_split_lists_and_pipe_blocks_make_the_same_messages)
{
    struct fixture fixture;
    struct stream stream;

    make_stream(&stream, ways[__i__].with_length);
    fixture_init(&fixture);
    play_connected(&fixture, ways[__i__].caps);
    if (ways[__i__].piece == 0) {
        for (guint i = 0; i < stream.frames; i++) {
            push_frame_list(&fixture, &stream, i);
        }
    } else {
        push_pieces(&fixture, &stream, ways[__i__].piece);
    }
    expect_frames(&fixture, &stream);
    /* The relay may have a message before the client has counted it. */
    fixture_wait_count(&fixture, "keyframes-sent", FRAMES / GOP);
    fail_unless_equals_uint64(fixture_count(&fixture, "keyframes-sent"), FRAMES / GOP);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_frame_of_unknown_length_leaves_without_waiting_for_the_next)
{
    struct fixture fixture;
    struct stream stream = {.len = 0};

    add_packet(&stream, (struct craft){.pid = PID_VIDEO,
                                       .starts_pes = true,
                                       .stream_id = STREAM_ID_VIDEO,
                                       .random_access = true});
    add_packet(&stream, (struct craft){.pid = PID_VIDEO});
    stream.ends[stream.frames++] = stream.len;
    fixture_init(&fixture);
    play_connected(&fixture, TS_CAPS);
    push_pieces(&fixture, &stream, 188);
    expect_frames(&fixture, &stream);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(lists_cut_inside_of_frames_are_put_right_and_warned_of_once)
{
    struct fixture fixture;
    struct stream stream;
    const gsize piece = 7 * MPEGTS_PACKET_SIZE;
    GstMessage *message;
    GError *error = NULL;

    make_stream(&stream, true);
    fixture_init(&fixture);
    play_connected(&fixture, TS_CAPS);
    for (gsize done = 0; done < stream.len; done += piece) {
        gst_pad_push_list(fixture.harness->srcpad,
                          list_of(stream.data + done, MIN(piece, stream.len - done), piece));
    }
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT));
    fail_unless(strstr(error->message, "alignment") != NULL);
    g_error_free(error);
    gst_message_unref(message);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);

    expect_frames(&fixture, &stream);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const struct {
    const char *caps;
    const char *message_type;
    const char *data;
    int type;
} kinds[] = {
    {"image/jpeg", "auto", "\xff\xd8 picture", FAKE_BINARY},
    {"image/jpeg", "text", "\xff\xd8 picture", FAKE_BINARY},
    {"text/x-raw, format=utf8", "auto", "27.4 \xc2\xb0", FAKE_TEXT},
    {"text/x-raw, format=utf8", "auto", "latin1 \xb0", FAKE_BINARY},
    {"text/x-raw, format=utf8", "binary", "text", FAKE_BINARY},
    {"application/x-json", "auto", "{\"a\":1}", FAKE_TEXT},
    {"application/x-other", "auto", "data", FAKE_BINARY},
    {"application/x-other", "text", "data", FAKE_TEXT},
    {NULL, "auto", "GPS 1,2,3", FAKE_BINARY},
};

GST_START_TEST(a_buffer_is_a_message_of_the_type_of_its_caps)
{
    struct fixture fixture;
    const char *data = kinds[__i__].data;
    int type = 0;

    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "message-type", kinds[__i__].message_type);
    play_connected(&fixture, kinds[__i__].caps);
    for (guint i = 0; i < 3; i++) {
        gst_harness_push(fixture.harness, fixture_buffer(data, strlen(data)));
    }
    for (guint i = 0; i < 3; i++) {
        fixture_expect_message(&fixture, i, data, strlen(data));
        g_bytes_unref(fake_relay_message(fixture.relay, i, &type));
        fail_unless_equals_int(type, kinds[__i__].type);
    }
    fail_unless_equals_int(fake_relay_messages(fixture.relay), 3);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* A character that two memories share, and U+0000, are UTF-8 (the Unicode Standard 15, table 3-7).
 */
GST_START_TEST(text_is_judged_as_a_whole)
{
    static const char text[] = "27.4 \xc2\xb0\0C";
    const size_t cut = 6; /* inside the degree sign */
    struct fixture fixture;
    int type = 0;

    fixture_init(&fixture);
    play_connected(&fixture, "text/x-raw, format=utf8");
    GstBuffer *buffer = fixture_buffer(text, cut);

    gst_harness_push(fixture.harness,
                     gst_buffer_append(buffer, fixture_buffer(text + cut, sizeof text - 1 - cut)));
    fixture_expect_message(&fixture, 0, text, sizeof text - 1);
    g_bytes_unref(fake_relay_message(fixture.relay, 0, &type));
    fail_unless_equals_int(type, FAKE_TEXT);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const struct {
    const char *framing;
    guint messages;
    gsize first_len;
} framings[] = {
    {"auto", 1, 7 * MPEGTS_PACKET_SIZE},
    {"frame", 1, 7 * MPEGTS_PACKET_SIZE},
    {"buffer", 7, MPEGTS_PACKET_SIZE},
    {"list", 1, 7 * MPEGTS_PACKET_SIZE},
};

GST_START_TEST(framing_decides_what_of_a_list_is_a_message)
{
    struct fixture fixture;
    struct stream stream;

    make_stream(&stream, true);
    fixture_init(&fixture);
    gst_util_set_object_arg(G_OBJECT(fixture.element), "framing", framings[__i__].framing);
    play_connected(&fixture, TS_CAPS);
    push_frame_list(&fixture, &stream, 0);
    fake_relay_wait_messages(fixture.relay, 1);
    if (framings[__i__].messages == 1) {
        fixture_expect_message(&fixture, 0, stream.data, framings[__i__].first_len);
    } else {
        /* The tables are no random access, so sending begins with the first packet of the frame. */
        fixture_expect_message(&fixture, 0, stream.data + 2 * MPEGTS_PACKET_SIZE,
                               framings[__i__].first_len);
        fake_relay_wait_messages(fixture.relay, framings[__i__].messages - 2);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(caps_may_change_while_playing)
{
    struct fixture fixture;
    struct stream stream;

    make_stream(&stream, true);
    fixture_init(&fixture);
    play_connected(&fixture, "image/jpeg, width=640");
    gst_harness_push(fixture.harness, fixture_buffer("small", 5));
    gst_harness_set_src_caps_str(fixture.harness, "image/jpeg, width=1280");
    gst_harness_push(fixture.harness, fixture_buffer("large", 5));
    gst_harness_set_src_caps_str(fixture.harness, TS_CAPS);
    push_pieces(&fixture, &stream, 188);
    gst_harness_set_src_caps_str(fixture.harness, "text/x-raw, format=utf8");
    gst_harness_push(fixture.harness, fixture_buffer("end", 3));
    fixture_expect_message(&fixture, 0, "small", 5);
    fixture_expect_message(&fixture, 1, "large", 5);
    fixture_expect_message(&fixture, 2, stream.data, stream.ends[0]);
    fixture_expect_message(&fixture, 2 + FRAMES, "end", 3);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(packets_of_192_bytes_are_refused_with_a_warning)
{
    struct fixture fixture;
    GstCaps *caps = gst_caps_from_string("video/mpegts, systemstream=true, packetsize=192");
    GstMessage *message;
    GError *error = NULL;

    fixture_init(&fixture);
    fixture_play(&fixture, TS_CAPS);
    gst_harness_push_event(fixture.harness, gst_event_new_caps(caps));
    fail_unless_equals_int(gst_harness_push(fixture.harness, fixture_buffer("data", 4)),
                           GST_FLOW_NOT_NEGOTIATED);
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT));
    g_error_free(error);
    gst_message_unref(message);
    gst_caps_unref(caps);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_message_above_10_mib_is_dropped_with_a_warning)
{
    struct fixture fixture;
    GstMessage *message;

    fixture_init(&fixture);
    play_connected(&fixture, "image/jpeg");
    for (guint i = 0; i < 2; i++) {
        fail_unless_equals_int(
            gst_harness_push(fixture.harness, gst_buffer_new_allocate(NULL, (10 << 20) + 1, NULL)),
            GST_FLOW_OK);
    }
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_unref(message);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    gst_harness_push(fixture.harness, fixture_buffer("next", 4));
    fixture_expect_message(&fixture, 0, "next", 4);
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-dropped"), 2);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* --- losses --- */

enum { PADDING = 60 * 1000 };

/* A frame with its number behind the header of its first packet, large enough to fill queues. */
static GstBuffer *numbered_frame(guint number, bool key)
{
    guint packets = PADDING / MPEGTS_PACKET_SIZE;
    guint8 *data = g_malloc(packets * MPEGTS_PACKET_SIZE);
    guint payload = key ? PACKET_PAYLOAD_MAX - 2 : PACKET_PAYLOAD_MAX;

    for (guint i = 0; i < packets; i++) {
        craft_packet(
            &(struct craft){.pid = PID_VIDEO,
                            .starts_pes = i == 0,
                            .stream_id = STREAM_ID_VIDEO,
                            .pes_len = (guint16)(payload + (packets - 1) * PACKET_PAYLOAD_MAX - 6),
                            .random_access = i == 0 && key},
            data + i * MPEGTS_PACKET_SIZE);
    }
    memcpy(data + 100, &number, sizeof number);
    return gst_buffer_new_wrapped(data, packets * MPEGTS_PACKET_SIZE);
}

static guint number_of(struct fixture *fixture, guint index, gsize at)
{
    GBytes *message = fake_relay_message(fixture->relay, index, NULL);
    const guint8 *data = g_bytes_get_data(message, NULL);
    guint number;

    memcpy(&number, data + at, sizeof number);
    g_bytes_unref(message);
    return number;
}

/* Wherever a number is missing, the next one is a keyframe. Returns how many were missing. */
static guint check_gaps(struct fixture *fixture, guint expected)
{
    guint missing = 0;

    for (guint i = 0; i < fake_relay_messages(fixture->relay); i++) {
        guint number = number_of(fixture, i, 100);

        fail_unless(number >= expected, "%u after %u", number, expected);
        fail_unless(number == expected || number % GOP == 0, "%u follows a gap from %u", number,
                    expected);
        missing += number - expected;
        expected = number + 1;
    }
    return missing;
}

GST_START_TEST(after_an_overflow_a_video_goes_on_with_a_keyframe)
{
    struct fixture fixture;
    guint number = 0;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-bytes", (guint64)(1 << 20), "max-queue-time",
                 (guint64)0, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    play_connected(&fixture, TS_CAPS);
    while (fixture_count(&fixture, "drops-overflow") < 30) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
        number++;
        fail_unless(number < 10000);
    }
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    for (guint i = 0; i < 2 * GOP; i++, number++) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
    }
    gst_harness_push_event(fixture.harness, gst_event_new_eos());
    fixture_wait_count(&fixture, "messages-sent",
                       number - fixture_count(&fixture, "messages-dropped"));
    fake_relay_wait_messages(fixture.relay, (guint)fixture_count(&fixture, "messages-sent"));
    fail_unless(check_gaps(&fixture, 0) >= 30);
    fail_unless_equals_uint64(fixture_count(&fixture, "connects"), 1);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(messages_that_waited_too_long_give_way_to_a_keyframe)
{
    struct fixture fixture;
    guint number = 0;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-time", (guint64)(50 * GST_MSECOND), NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    play_connected(&fixture, TS_CAPS);
    for (; fixture_count(&fixture, "queue-messages") < 3 * GOP; number++) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
        fail_unless(number < 10000);
    }
    while (fixture_count(&fixture, "queue-time") < 60 * GST_MSECOND) {
        g_usleep(1000);
    }
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    fixture_wait_count(&fixture, "drops-age", 1);
    for (guint i = 0; i < 2 * GOP; i++, number++) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
    }
    fixture_wait_count(&fixture, "messages-sent",
                       number - fixture_count(&fixture, "messages-dropped"));
    fake_relay_wait_messages(fixture.relay, (guint)fixture_count(&fixture, "messages-sent"));
    fail_unless(check_gaps(&fixture, 0) >= 1);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static GstBuffer *numbered_image(guint number)
{
    guint8 *data = g_malloc0(PADDING);

    memcpy(data, &number, sizeof number);
    return gst_buffer_new_wrapped(data, PADDING);
}

GST_START_TEST(after_an_overflow_images_lose_the_oldest_only)
{
    struct fixture fixture;
    guint number = 0, messages;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-bytes", (guint64)(10 * PADDING), "max-queue-time",
                 (guint64)0, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    play_connected(&fixture, "image/jpeg");
    while (fixture_count(&fixture, "drops-overflow") < 15) {
        gst_harness_push(fixture.harness, numbered_image(number++));
        fail_unless(number < 10000);
    }
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    fixture_wait_count(&fixture, "messages-sent",
                       number - fixture_count(&fixture, "messages-dropped"));
    messages = (guint)fixture_count(&fixture, "messages-sent");
    fake_relay_wait_messages(fixture.relay, messages);
    /* All but a few of the queue's ten are the last ones, without a gap. */
    for (guint i = 1; i <= 5; i++) {
        fail_unless_equals_int(number_of(&fixture, messages - i, 0), number - i);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(after_a_reconnect_messages_are_whole_and_begin_with_a_keyframe)
{
    struct fixture fixture;
    guint number = 0;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-time", (guint64)0, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    play_connected(&fixture, TS_CAPS);
    /* Until the kernel takes no more, so that a message is begun and cannot end. */
    while (fixture_count(&fixture, "queue-bytes") < 5 * PADDING) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
        number++;
        fail_unless(number < 10000);
    }
    number += number % GOP == 0 ? 1 : 0;
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    fake_relay_close_sockets(fixture.relay, 0);
    fixture_wait_count(&fixture, "connects", 2);
    fake_relay_forget_messages(fixture.relay);
    for (guint i = 0; i < 2 * GOP; i++, number++) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
    }
    fake_relay_wait_messages(fixture.relay, GOP);
    fail_unless_equals_int(number_of(&fixture, 0, 100) % GOP, 0);
    for (guint i = 0; i < GOP; i++) {
        GBytes *message = fake_relay_message(fixture.relay, i, NULL);

        fail_unless_equals_int(g_bytes_get_size(message),
                               PADDING / MPEGTS_PACKET_SIZE * MPEGTS_PACKET_SIZE);
        g_bytes_unref(message);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

static gpointer push_all(gpointer data)
{
    struct fixture *fixture = data;

    for (guint i = 0; i < 100; i++) {
        fail_unless_equals_int(gst_harness_push(fixture->harness, numbered_image(i)), GST_FLOW_OK);
    }
    return NULL;
}

/* First waiting for the connection, then, with drop-policy=none, for room only. */
GST_START_TEST(who_waits_loses_nothing)
{
    struct fixture fixture;
    GThread *pusher;

    fixture_init(&fixture);
    g_object_set(fixture.element, "max-queue-bytes", (guint64)(4 * PADDING), NULL);
    if (__i__ == 0) {
        g_object_set(fixture.element, "wait-for-connection", TRUE, NULL);
    } else {
        gst_util_set_object_arg(G_OBJECT(fixture.element), "drop-policy", "none");
    }
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "waiting");
    pusher = g_thread_new("push", push_all, &fixture);
    if (__i__ == 1) {
        fixture_wait_count(&fixture, "queue-messages", 4);
    }
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_wait_state(&fixture, "connected");
    fixture_wait_count(&fixture, "queue-messages", 3);
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    fake_relay_wait_messages(fixture.relay, 100);
    g_thread_join(pusher);
    for (guint i = 0; i < 100; i++) {
        fail_unless_equals_int(number_of(&fixture, i, 0), i);
    }
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-dropped"), 0);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(the_last_picture_of_a_stream_does_not_wait_for_ever)
{
    struct fixture fixture;
    GstMessage *message;
    GError *error = NULL;
    static struct stream stream;
    gint64 begun_us;

    make_stream(&stream, false);
    fixture_init(&fixture);
    g_object_set(fixture.element, "wait-for-connection", TRUE, "eos-timeout", 300, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_SILENT_UPGRADE); /* never connected */
    fixture_play(&fixture, TS_CAPS);
    /* Not yet known to be complete: held until the end. */
    gst_harness_push(fixture.harness, fixture_buffer(stream.data, 3 * MPEGTS_PACKET_SIZE));
    begun_us = g_get_monotonic_time();
    fail_unless(gst_harness_push_event(fixture.harness, gst_event_new_eos()));
    fail_unless(g_get_monotonic_time() - begun_us >= 290 * 1000);
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(strstr(error->message, "1 messages") != NULL, "%s", error->message);
    g_error_free(error);
    gst_message_unref(message);
    gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_EOS));
    fail_unless_equals_uint64(fixture_count(&fixture, "messages-dropped"), 1);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(waiting_for_the_connection_may_end_while_playing)
{
    struct fixture fixture;
    GThread *pusher;

    fixture_init(&fixture);
    g_object_set(fixture.element, "wait-for-connection", TRUE, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "waiting");
    pusher = g_thread_new("push", push_all, &fixture);
    g_object_set(fixture.element, "wait-for-connection", FALSE, NULL);
    g_thread_join(pusher);
    fail_unless_equals_uint64(fixture_count(&fixture, "drops-disconnected"), 100);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_stream_without_video_is_not_held_back_by_who_waits)
{
    guint8 audio[7 * MPEGTS_PACKET_SIZE];
    struct fixture fixture;
    gint64 begun_us = g_get_monotonic_time();

    for (guint i = 0; i < 7; i++) {
        craft_packet(
            &(struct craft){.pid = PID_AUDIO, .starts_pes = true, .stream_id = STREAM_ID_AUDIO},
            audio + i * MPEGTS_PACKET_SIZE);
    }
    fixture_init(&fixture);
    g_object_set(fixture.element, "wait-for-connection", TRUE, NULL);
    play_connected(&fixture, NULL);
    while (fake_relay_messages(fixture.relay) < 3) {
        fail_unless_equals_int(
            gst_harness_push(fixture.harness, fixture_buffer(audio, sizeof audio)), GST_FLOW_OK);
        fail_unless(g_get_monotonic_time() - begun_us < 10 * G_TIME_SPAN_SECOND);
        g_usleep(1000);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* --- asking for keyframes --- */

static GstEvent *wait_keyframe_request(struct fixture *fixture)
{
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;

    for (guint number = 0;; number++) {
        GstEvent *event;

        gst_harness_push(fixture->harness, numbered_frame(number, number % GOP == 0));
        while ((event = gst_harness_try_pull_upstream_event(fixture->harness)) != NULL) {
            if (gst_event_has_name(event, "GstForceKeyUnit")) {
                return event;
            }
            gst_event_unref(event);
        }
        fail_unless(g_get_monotonic_time() < deadline_us, "no keyframe request");
        g_usleep(5000);
    }
}

GST_START_TEST(asks_for_a_keyframe_after_each_connection_once_per_half_second)
{
    struct fixture fixture;
    gint64 first_us;
    GstEvent *event;
    GstClockTime running_time;
    gboolean all_headers = FALSE;

    fixture_init(&fixture);
    play_connected(&fixture, TS_CAPS);
    event = wait_keyframe_request(&fixture);
    first_us = g_get_monotonic_time();
    fail_unless_equals_int(GST_EVENT_TYPE(event), GST_EVENT_CUSTOM_UPSTREAM);
    fail_unless(gst_structure_get(gst_event_get_structure(event), "running-time", G_TYPE_UINT64,
                                  &running_time, "all-headers", G_TYPE_BOOLEAN, &all_headers,
                                  NULL));
    fail_unless(!GST_CLOCK_TIME_IS_VALID(running_time) && all_headers);
    gst_event_unref(event);

    fake_relay_close_sockets(fixture.relay, 1001);
    fixture_wait_state(&fixture, "connected");
    gst_event_unref(wait_keyframe_request(&fixture));
    fail_unless(g_get_monotonic_time() - first_us >= 450 * 1000);
    fail_unless_equals_uint64(fixture_count(&fixture, "keyframe-requests"), 2);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static void wait_keyframe_request_without_buffers(struct fixture *fixture)
{
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;
    GstEvent *event;
    bool found = false;

    while (!found) {
        while ((event = gst_harness_try_pull_upstream_event(fixture->harness)) != NULL) {
            found = found || gst_event_has_name(event, "GstForceKeyUnit");
            gst_event_unref(event);
        }
        fail_unless(g_get_monotonic_time() < deadline_us, "no keyframe request");
        g_usleep(1000);
    }
}

GST_START_TEST(asks_for_a_keyframe_whether_buffers_flow_or_not)
{
    struct fixture fixture;

    fixture_init(&fixture);
    play_connected(&fixture, TS_CAPS);
    wait_keyframe_request_without_buffers(&fixture);
    fake_relay_close_sockets(fixture.relay, 1001);
    wait_keyframe_request_without_buffers(&fixture); /* of the next connection */
    fail_unless_equals_uint64(fixture_count(&fixture, "keyframe-requests"), 2);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(does_not_ask_for_keyframes_when_told_so)
{
    struct fixture fixture;
    GstEvent *event;

    fixture_init(&fixture);
    g_object_set(fixture.element, "request-keyframe", FALSE, NULL);
    play_connected(&fixture, TS_CAPS);
    for (guint number = 0; number < 3 * GOP; number++) {
        gst_harness_push(fixture.harness, numbered_frame(number, number % GOP == 0));
    }
    fake_relay_wait_messages(fixture.relay, GOP);
    while ((event = gst_harness_try_pull_upstream_event(fixture.harness)) != NULL) {
        fail_if(gst_event_has_name(event, "GstForceKeyUnit"));
        gst_event_unref(event);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *sink_messages_suite(void)
{
    Suite *suite = suite_create("sink_messages");
    TCase *tests = tcase_create("messages");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, lists_split_lists_and_pipe_blocks_make_the_same_messages, 0,
                        G_N_ELEMENTS(ways));
    tcase_add_test(tests, a_frame_of_unknown_length_leaves_without_waiting_for_the_next);
    tcase_add_test(tests, lists_cut_inside_of_frames_are_put_right_and_warned_of_once);
    tcase_add_loop_test(tests, a_buffer_is_a_message_of_the_type_of_its_caps, 0,
                        G_N_ELEMENTS(kinds));
    tcase_add_test(tests, text_is_judged_as_a_whole);
    tcase_add_loop_test(tests, framing_decides_what_of_a_list_is_a_message, 0,
                        G_N_ELEMENTS(framings));
    tcase_add_test(tests, caps_may_change_while_playing);
    tcase_add_test(tests, packets_of_192_bytes_are_refused_with_a_warning);
    tcase_add_test(tests, a_message_above_10_mib_is_dropped_with_a_warning);
    tcase_add_test(tests, after_an_overflow_a_video_goes_on_with_a_keyframe);
    tcase_add_test(tests, messages_that_waited_too_long_give_way_to_a_keyframe);
    tcase_add_test(tests, after_an_overflow_images_lose_the_oldest_only);
    tcase_add_test(tests, after_a_reconnect_messages_are_whole_and_begin_with_a_keyframe);
    tcase_add_loop_test(tests, who_waits_loses_nothing, 0, 2);
    tcase_add_test(tests, the_last_picture_of_a_stream_does_not_wait_for_ever);
    tcase_add_test(tests, waiting_for_the_connection_may_end_while_playing);
    tcase_add_test(tests, a_stream_without_video_is_not_held_back_by_who_waits);
    tcase_add_test(tests, asks_for_a_keyframe_after_each_connection_once_per_half_second);
    tcase_add_test(tests, asks_for_a_keyframe_whether_buffers_flow_or_not);
    tcase_add_test(tests, does_not_ask_for_keyframes_when_told_so);
    return suite;
}

GST_CHECK_MAIN(sink_messages);
