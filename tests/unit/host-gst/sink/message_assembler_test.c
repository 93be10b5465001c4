/* Goal: buffers and lists become messages of one frame, picture or buffer, in order and whole;
 * where viewers can start is found; what waits too long is sent. Method: crafted packets, and a
 * clock that a test can put forward; the flusher is the real one. */
#include "host-gst/sink/message_assembler.h"

#include <criterion/criterion.h>
#include <string.h>
#include <time.h>

#include "tests/unit/wire/media/mpegts_packets.h"

enum { MESSAGES_MAX = 32, PATIENCE_S = 60, FRAME_PACKETS = 4, FRAME = 4 * MPEGTS_PACKET_SIZE };

struct sent {
    gsize len;
    guint8 first, last; /* bytes of it */
    bool random_access, may_wait;
};

static GMutex lock; /* guards the next ones against the flusher */
static GCond changed;
static struct sent sent[MESSAGES_MAX];
static guint sent_count, notices[STREAM_NOTICE_COUNT], flushes_asked;
static GstFlowReturn send_result;
static gint may_flush;

static struct message_assembler assembler;
static gint64 forward_us;

/* In place of GLib's. */
gint64 g_get_monotonic_time(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec * G_USEC_PER_SEC + now.tv_nsec / 1000 + forward_us;
}

static GstFlowReturn on_send(const struct outgoing *message, bool may_wait, void *context)
{
    const struct relay_client_slice *first = &message->slices[0];
    const struct relay_client_slice *last = &message->slices[message->slices_count - 1];

    g_mutex_lock(&lock);
    cr_assert_lt(sent_count, MESSAGES_MAX);
    sent[sent_count++] = (struct sent){.len = message->len,
                                       .first = *(const guint8 *)first->data,
                                       .last = ((const guint8 *)last->data)[last->len - 1],
                                       .random_access = message->random_access,
                                       .may_wait = may_wait};
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
    return send_result;
}

static bool on_may_flush(void *context)
{
    g_mutex_lock(&lock);
    flushes_asked++;
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
    return g_atomic_int_get(&may_flush);
}

static void on_notice(enum stream_notice notice, void *context)
{
    notices[notice]++;
}

static void start(void)
{
    const struct assembler_callbacks callbacks = {
        .send = on_send, .may_flush = on_may_flush, .on_notice = on_notice};

    gst_init(NULL, NULL);
    g_atomic_int_set(&may_flush, TRUE);
    assembler_init(&assembler, &callbacks);
}

static void stop(void)
{
    assembler_stop(&assembler);
    assembler_deinit(&assembler);
}

TestSuite(message_assembler, .init = start, .fini = stop);

/* The test decides when frames end, however slow the machine is. */
static void flusher_stop(void)
{
    g_atomic_int_set(&may_flush, FALSE);
}

static void begin(enum sink_framing framing, enum stream_kind kind)
{
    cr_assert(assembler_start(&assembler, framing));
    assembler_set_kind(&assembler, kind, false);
}

static GstBuffer *buffer_of(const void *data, gsize len)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, len, NULL);

    gst_buffer_fill(buffer, 0, data, len);
    return buffer;
}

static GstFlowReturn push(const void *data, gsize len)
{
    GstBuffer *buffer = buffer_of(data, len);
    GstFlowReturn flow = assembler_push_buffer(&assembler, buffer);

    gst_buffer_unref(buffer);
    return flow;
}

static void push_text(const char *text)
{
    cr_expect_eq(push(text, strlen(text)), GST_FLOW_OK);
}

static void push_flagged(const char *text, GstBufferFlags flags)
{
    GstBuffer *buffer = buffer_of(text, strlen(text));

    GST_BUFFER_FLAG_SET(buffer, flags);
    cr_expect_eq(assembler_push_buffer(&assembler, buffer), GST_FLOW_OK);
    gst_buffer_unref(buffer);
}

/* A list of pieces. */
static void push_list(const guint8 *data, gsize len, gsize piece)
{
    GstBufferList *list = gst_buffer_list_new();

    for (gsize done = 0; done < len; done += piece) {
        gst_buffer_list_add(list, buffer_of(data + done, MIN(piece, len - done)));
    }
    cr_expect_eq(assembler_push_list(&assembler, list), GST_FLOW_OK);
    gst_buffer_list_unref(list);
}

/* Four packets whose last one is stuffed, so that its end shows. */
static void frame_make(guint8 frame[static FRAME], bool key)
{
    struct craft packet = {
        .pid = PID_VIDEO, .starts_pes = true, .stream_id = STREAM_ID_VIDEO, .random_access = key};

    craft_packet(&packet, frame);
    for (guint i = 1; i < FRAME_PACKETS; i++) {
        packet = (struct craft){.pid = PID_VIDEO, .payload_len = i + 1 < FRAME_PACKETS ? 0 : 30};
        craft_packet(&packet, frame + i * MPEGTS_PACKET_SIZE);
    }
}

/* Its end does not show. */
static void open_frame_make(guint8 frame[static FRAME])
{
    struct craft full = {.pid = PID_VIDEO};

    frame_make(frame, true);
    craft_packet(&full, frame + (FRAME_PACKETS - 1) * MPEGTS_PACKET_SIZE);
}

static void sound_make(guint8 packet[static MPEGTS_PACKET_SIZE])
{
    struct craft sound = {
        .pid = PID_AUDIO, .starts_pes = true, .stream_id = STREAM_ID_AUDIO, .payload_len = 40};

    craft_packet(&sound, packet);
}

static void wait_for(const guint *count, guint wanted)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    gint64 deadline_us = (now.tv_sec + PATIENCE_S) * G_USEC_PER_SEC;

    g_mutex_lock(&lock);
    while (*count < wanted) {
        cr_assert(g_cond_wait_until(&changed, &lock, deadline_us), "it does not come");
    }
    g_mutex_unlock(&lock);
}

Test(message_assembler, sends_a_buffer_as_a_message)
{
    begin(SINK_FRAMING_AUTO, STREAM_IMAGE);
    push_text("first");
    push_text("");
    push_text("second!");
    cr_assert_eq(sent_count, 2, "nothing is no message");
    cr_expect_eq(sent[0].len, 5);
    cr_expect_eq(sent[1].len, 7);
    cr_expect(sent[0].random_access && sent[1].random_access, "pictures stand alone");
    cr_expect(sent[0].may_wait);
}

Test(message_assembler, looks_at_the_first_bytes_without_caps)
{
    guint8 frame[FRAME];

    frame_make(frame, true);
    begin(SINK_FRAMING_AUTO, STREAM_UNKNOWN);
    push_text("data");
    cr_expect_eq(assembler.kind, STREAM_DATA);
    assembler_reset(&assembler);
    assembler_set_kind(&assembler, STREAM_UNKNOWN, false);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    cr_expect_eq(assembler.kind, STREAM_MPEGTS);
}

Test(message_assembler, sends_a_frame_as_a_message_however_it_is_cut)
{
    static const gsize pieces[] = {1, 100, MPEGTS_PACKET_SIZE, 1316, 3 * FRAME};
    guint8 stream[3 * FRAME];

    flusher_stop();
    for (guint i = 0; i < 3; i++) {
        frame_make(stream + i * FRAME, i == 0);
    }
    for (size_t i = 0; i < ARRAY_LENGTH(pieces); i++) {
        sent_count = 0;
        begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
        for (gsize done = 0; done < sizeof stream; done += pieces[i]) {
            cr_expect_eq(push(stream + done, MIN(pieces[i], sizeof stream - done)), GST_FLOW_OK);
        }
        cr_assert_eq(sent_count, 3, "pieces of %zu: %u messages", pieces[i], sent_count);
        for (guint k = 0; k < 3; k++) {
            cr_expect_eq(sent[k].len, FRAME);
            cr_expect_eq(sent[k].first, MPEGTS_SYNC_BYTE);
            cr_expect_eq(sent[k].random_access, k == 0);
        }
        assembler_stop(&assembler);
    }
}

Test(message_assembler, sends_a_list_that_is_a_frame_as_it_is)
{
    guint8 frame[FRAME];

    frame_make(frame, true);
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    push_list(frame, sizeof frame, MPEGTS_PACKET_SIZE);
    cr_assert_eq(sent_count, 1);
    cr_expect_eq(sent[0].len, FRAME);
    cr_expect_eq(notices[STREAM_NOTICE_CUT_FRAMES], 0);
}

Test(message_assembler, puts_lists_right_that_are_cut_inside_of_frames)
{
    guint8 stream[3 * FRAME];

    flusher_stop();
    for (guint i = 0; i < 3; i++) {
        frame_make(stream + i * FRAME, true);
    }
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    /* One frame and the beginning of the next; then the rest. */
    push_list(stream, FRAME + MPEGTS_PACKET_SIZE, MPEGTS_PACKET_SIZE);
    push_list(stream + FRAME + MPEGTS_PACKET_SIZE, 2 * FRAME - MPEGTS_PACKET_SIZE,
              MPEGTS_PACKET_SIZE);
    cr_assert_eq(sent_count, 3);
    for (guint i = 0; i < 3; i++) {
        cr_expect_eq(sent[i].len, FRAME);
    }
    cr_expect_eq(notices[STREAM_NOTICE_CUT_FRAMES], 1);
}

Test(message_assembler, obeys_the_framing_that_is_set)
{
    static const struct {
        enum sink_framing framing;
        guint of_list, of_buffers;
    } cases[] = {
        {SINK_FRAMING_BUFFER, 2, 2}, /* each half frame */
        {SINK_FRAMING_LIST, 1, 2},
        {SINK_FRAMING_FRAME, 1, 1},
    };
    guint8 frame[FRAME];

    flusher_stop();
    frame_make(frame, true);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        begin(cases[i].framing, STREAM_MPEGTS);
        sent_count = 0;
        push_list(frame, FRAME, FRAME / 2);
        cr_expect_eq(sent_count, cases[i].of_list, "list, framing %d", (int)cases[i].framing);
        sent_count = 0;
        cr_expect_eq(push(frame, FRAME / 2), GST_FLOW_OK);
        cr_expect_eq(push(frame + FRAME / 2, FRAME / 2), GST_FLOW_OK);
        cr_expect_eq(sent_count, cases[i].of_buffers, "buffers, framing %d", (int)cases[i].framing);
        assembler_stop(&assembler);
    }
}

Test(message_assembler, ends_a_frame_whose_end_does_not_show)
{
    guint8 frame[FRAME];

    open_frame_make(frame);
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    wait_for(&sent_count, 1);
    cr_expect_eq(sent[0].len, FRAME);
    cr_expect_not(sent[0].may_wait, "the flusher must not wait");
}

/* An open frame ends with the next one; packets between frames may be the last for long. */
Test(message_assembler, leaves_what_the_flusher_may_not_send_to_the_next_buffer)
{
    guint8 sound[MPEGTS_PACKET_SIZE], frame[FRAME];

    sound_make(sound);
    frame_make(frame, true);
    flusher_stop();
    begin(SINK_FRAMING_FRAME, STREAM_MPEGTS);
    cr_expect_eq(push(sound, sizeof sound), GST_FLOW_OK);
    wait_for(&flushes_asked, 1);
    /* It lets the assembler's lock go afterwards. */
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    cr_assert_eq(sent_count, 2);
    cr_expect_eq(sent[0].len, MPEGTS_PACKET_SIZE);
    cr_expect(sent[0].may_wait);
    cr_expect_eq(sent[1].len, FRAME);
}

Test(message_assembler, sends_what_is_held_at_the_end)
{
    guint8 frame[FRAME];

    open_frame_make(frame);
    flusher_stop();
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    cr_expect_eq(assembler_finish(&assembler), GST_FLOW_OK);
    cr_assert_eq(sent_count, 1);
    cr_expect_eq(assembler_finish(&assembler), GST_FLOW_OK);
    cr_expect_eq(sent_count, 1);
}

Test(message_assembler, discards_what_is_held_after_a_seek_and_with_other_caps)
{
    guint8 frame[FRAME];

    open_frame_make(frame);
    flusher_stop();
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    assembler_reset(&assembler);
    cr_expect_eq(assembler_finish(&assembler), GST_FLOW_OK);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    assembler_set_kind(&assembler, STREAM_IMAGE, false);
    cr_expect_eq(assembler_finish(&assembler), GST_FLOW_OK);
    cr_expect_eq(sent_count, 0);
    push_text("picture");
    cr_expect_eq(sent_count, 1);
}

Test(message_assembler, ends_a_buffer_where_sending_ends)
{
    guint8 stream[2 * FRAME];

    frame_make(stream, true);
    frame_make(stream + FRAME, false);
    send_result = GST_FLOW_FLUSHING;
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(stream, sizeof stream), GST_FLOW_FLUSHING);
    cr_expect_eq(sent_count, 1);
}

Test(message_assembler, starts_viewers_at_buffers_that_depend_on_no_other)
{
    begin(SINK_FRAMING_AUTO, STREAM_DATA);
    assembler_set_kind(&assembler, STREAM_DATA, true);
    cr_expect_not(assembler_is_independent(&assembler));
    push_flagged("key", 0);
    push_flagged("delta", GST_BUFFER_FLAG_DELTA_UNIT);
    cr_assert_eq(sent_count, 2);
    cr_expect(sent[0].random_access);
    cr_expect_not(sent[1].random_access);
    assembler_set_kind(&assembler, STREAM_DATA, false);
    cr_expect(assembler_is_independent(&assembler));
    push_flagged("delta", GST_BUFFER_FLAG_DELTA_UNIT);
    cr_expect(sent[2].random_access, "nothing here depends on anything");
}

Test(message_assembler, starts_viewers_anywhere_in_a_stream_that_marks_nothing)
{
    guint8 frame[FRAME];

    frame_make(frame, false);
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    forward_us = 4 * G_USEC_PER_SEC;
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    forward_us = 6 * G_USEC_PER_SEC;
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    cr_expect_eq(push(frame, sizeof frame), GST_FLOW_OK);
    cr_assert_eq(sent_count, 4);
    cr_expect_not(sent[0].random_access || sent[1].random_access);
    cr_expect(sent[2].random_access && sent[3].random_access);
    cr_expect_eq(notices[STREAM_NOTICE_NO_KEYFRAMES], 1);
}

Test(message_assembler, waits_for_the_next_keyframe_of_a_stream_that_marks_them)
{
    guint8 key[FRAME], delta[FRAME];

    frame_make(key, true);
    frame_make(delta, false);
    begin(SINK_FRAMING_AUTO, STREAM_MPEGTS);
    cr_expect_eq(push(key, sizeof key), GST_FLOW_OK);
    forward_us = 60 * G_USEC_PER_SEC;
    cr_expect_eq(push(delta, sizeof delta), GST_FLOW_OK);
    cr_assert_eq(sent_count, 2);
    cr_expect_not(sent[1].random_access);
    cr_expect_eq(notices[STREAM_NOTICE_NO_KEYFRAMES], 0);
}

/* A container: its marks may end, as those of a WebM without cues do. */
Test(message_assembler, starts_viewers_anywhere_when_a_container_marks_nothing_any_more)
{
    begin(SINK_FRAMING_AUTO, STREAM_DATA);
    assembler_set_kind(&assembler, STREAM_DATA, true);
    push_flagged("key", 0);
    forward_us = 6 * G_USEC_PER_SEC;
    push_flagged("delta", GST_BUFFER_FLAG_DELTA_UNIT);
    cr_assert_eq(sent_count, 2);
    cr_expect(sent[1].random_access);
    cr_expect_eq(notices[STREAM_NOTICE_NO_KEYFRAMES], 0, "there is nothing to mend in it");
}

Test(message_assembler, tells_of_containers_that_viewers_do_not_read)
{
    static const struct {
        gsize packet, offset;
        enum stream_notice notice;
    } cases[] = {
        {192, 4, STREAM_NOTICE_PACKETS_192},
        {204, 0, STREAM_NOTICE_PACKETS_204},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        guint8 data[5 * 204] = {0};

        for (gsize at = cases[i].offset; at < sizeof data; at += cases[i].packet) {
            data[at] = MPEGTS_SYNC_BYTE;
        }
        begin(SINK_FRAMING_AUTO, STREAM_UNKNOWN);
        cr_expect_eq(push(data, 4 * cases[i].packet), GST_FLOW_OK);
        cr_expect_eq(push(data, 4 * cases[i].packet), GST_FLOW_OK);
        cr_expect_eq(notices[cases[i].notice], 1, "once");
        assembler_stop(&assembler);
    }
    begin(SINK_FRAMING_AUTO, STREAM_DATA);
    push_text("--frame\r\nContent-Type: image/jpeg\r\n\r\n");
    cr_expect_eq(notices[STREAM_NOTICE_MULTIPART], 1);
}
