/* Goal: whatever the network does, the streaming thread is never idle for a frame; and where there
 * is a connection, a frame is on the wire at once, not with the next one. Method: frames at a
 * camera's pace, and the clock. */
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"
#include "tests/host-gst/timing.h"
#include "tests/unit/wire/media/mpegts_packets.h"

#define TS_CAPS "video/mpegts, systemstream=true, packetsize=188"

enum { FRAME_PACKETS = 4, FRAME_US = 33 * 1000, SLOW_FRAME_US = 250 * 1000 };

/* As mpegtsmux does: a list of one packet each. Without a length, stuffing tells the end. */
static GstBufferList *frame_list(bool key, bool with_length)
{
    enum { LAST = 30, FIRST = PACKET_PAYLOAD_MAX - 2 };
    GstBufferList *list = gst_buffer_list_new();
    struct craft packet = {
        .pid = PID_VIDEO,
        .starts_pes = true,
        .stream_id = STREAM_ID_VIDEO,
        .pes_len = with_length ? FIRST + (FRAME_PACKETS - 2) * PACKET_PAYLOAD_MAX + LAST - 6 : 0,
        .random_access = key,
        .payload_len = FIRST,
    };

    for (guint i = 0; i < FRAME_PACKETS; i++) {
        guint8 *data = g_malloc(MPEGTS_PACKET_SIZE);

        craft_packet(&packet, data);
        gst_buffer_list_add(list, gst_buffer_new_wrapped(data, MPEGTS_PACKET_SIZE));
        packet = (struct craft){.pid = PID_VIDEO, .payload_len = i == FRAME_PACKETS - 2 ? LAST : 0};
    }
    return list;
}

static const struct {
    const char *name;
    enum fake_behaviour behaviour;
    bool cut; /* the connection, again and again */
} troubles[] = {
    {"served", FAKE_SERVE, false},
    {"refused", FAKE_REFUSE, false},
    {"no answer to the access request", FAKE_SILENT_ACCESS, false},
    {"no answer to the handshake", FAKE_SILENT_UPGRADE, false},
    {"never read", FAKE_NEVER_READ, false},
    {"cut off", FAKE_SERVE, true},
};

GST_START_TEST(streaming_is_never_idle_for_a_frame)
{
    struct timing push = {.count = 0};
    struct fixture fixture;

    fixture_init(&fixture);
    fake_relay_set_behaviour(fixture.relay, troubles[__i__].behaviour);
    fixture_play(&fixture, TS_CAPS);
    for (guint i = 0; i < 300; i++) {
        GstBufferList *list = frame_list(i % 10 == 0, true);
        gint64 begun_us = g_get_monotonic_time();

        fail_unless_equals_int(gst_pad_push_list(fixture.harness->srcpad, list), GST_FLOW_OK);
        timing_add(&push, begun_us);
        if (troubles[__i__].cut && i % 50 == 49) {
            fake_relay_close_sockets(fixture.relay, i % 100 == 49 ? 1001 : 0);
        }
        g_usleep(1000);
    }
    timing_check(&push, 100, FRAME_US * TIME_SCALE, troubles[__i__].name);
    fixture_deinit(&fixture);
}
GST_END_TEST;

/* 4 frames a second: one that waited for the next would be 250 ms late. */
GST_START_TEST(a_frame_is_on_the_wire_before_the_next_one_comes)
{
    struct timing wire = {.count = 0};
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_play(&fixture, TS_CAPS);
    fixture_wait_state(&fixture, "connected");
    for (guint i = 0; i < 8; i++) {
        GstBufferList *list = frame_list(true, __i__ == 0);
        gint64 begun_us = g_get_monotonic_time();

        gst_pad_push_list(fixture.harness->srcpad, list);
        fake_relay_wait_messages(fixture.relay, i + 1);
        timing_add(&wire, begun_us);
        g_usleep((gulong)MAX(begun_us + SLOW_FRAME_US - g_get_monotonic_time(), 0));
    }
    timing_check(&wire, 70, 5000 * TIME_SCALE, "from the muxer to the relay");
    fixture_deinit(&fixture);
}
GST_END_TEST;

static Suite *sink_live_suite(void)
{
    Suite *suite = suite_create("sink_live");
    TCase *tests = tcase_create("live");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, streaming_is_never_idle_for_a_frame, 0, G_N_ELEMENTS(troubles));
    tcase_add_loop_test(tests, a_frame_is_on_the_wire_before_the_next_one_comes, 0, 2);
    return suite;
}

GST_CHECK_MAIN(sink_live);
