/* Goal: each message becomes one buffer, gaps are marked and counted, videos wait for a keyframe,
 * and the end of the connection is the end of the buffers. Method: a link to a relay of the test's;
 * what is received are crafted packets and lines. */
#include "host-gst/src/receiver.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/client/relay_peer.h"
#include "tests/unit/host-gst/element.h"
#include "tests/unit/wire/media/mpegts_tables.h"

enum { TYPE_H264 = 0x1b };

static TestElement *element;
static struct relay_peer peer;
static struct link own_link;
static struct receiver receiver;

static void start(void)
{
    char location[64];

    gst_init(NULL, NULL);
    element = test_src_new();
    relay_peer_open(&peer);
    g_object_set(element, "location", relay_peer_location(&peer, "http", location), "token",
                 "eyJ.a.b", "reconnect-delay", 1, "max-age", (guint64)0, NULL);
    link_init(&own_link, GST_ELEMENT(element),
              &((TestElementClass *)(void *)G_OBJECT_GET_CLASS(element))->specs, true);
    receiver_init(&receiver, &own_link);
}

static void stop(void)
{
    link_close(&own_link);
    receiver_deinit(&receiver);
    link_deinit(&own_link);
    relay_peer_close(&peer);
    gst_object_unref(element);
}

TestSuite(receiver, .init = start, .fini = stop);

static void connect_peer(void)
{
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, NULL);
}

static void open_link(enum stream_kind kind)
{
    struct relay_client_options options;
    char error[RELAY_CLIENT_ERROR_SIZE];

    src_settings_to_options(&element->settings.src, &options);
    cr_assert(link_open(&own_link, &element->settings.link, &options, error), "%s", error);
    receiver_open(&receiver, kind);
    receiver_apply(&receiver, &element->settings.src);
}

static void open_receiver(enum stream_kind kind)
{
    open_link(kind);
    connect_peer();
}

/* The next buffer has this content, this flag, and shows another kind of stream or not. */
static void expect_buffer(const void *data, size_t len, bool discont, bool new_kind)
{
    GstBuffer *buffer = NULL;
    bool got_new_kind = !new_kind;

    cr_assert_eq(receiver_next(&receiver, &buffer, &got_new_kind), GST_FLOW_OK);
    cr_expect_eq(gst_buffer_get_size(buffer), len);
    cr_expect_eq(gst_buffer_memcmp(buffer, 0, data, len), 0);
    cr_expect_eq(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT) != 0, discont);
    cr_expect_eq(got_new_kind, new_kind);
    gst_buffer_unref(buffer);
}

static void send_text(const char *text)
{
    relay_peer_send(&peer, WS_OPCODE_TEXT, text, strlen(text));
}

Test(receiver, makes_one_buffer_of_each_message)
{
    struct receiver_figures figures;

    open_receiver(STREAM_UNKNOWN);
    send_text("one");
    send_text("two");
    expect_buffer("one", 3, true, true);
    expect_buffer("two", 3, false, false);
    cr_expect_eq(receiver.gate.kind, STREAM_TEXT);
    receiver_figures(&receiver, &figures);
    cr_expect_eq(figures.messages, 2);
    cr_expect_eq(figures.gaps, 1, "the first buffer");
    cr_expect_eq(figures.skipped_messages, 0);
    cr_expect_geq(figures.age_sum, figures.age_max);
}

Test(receiver, marks_the_first_message_of_each_connection)
{
    struct receiver_figures figures;

    open_receiver(STREAM_TEXT);
    send_text("before");
    expect_buffer("before", 6, true, false);
    relay_peer_hang_up(&peer);
    connect_peer();
    send_text("after");
    expect_buffer("after", 5, true, false);
    receiver_figures(&receiver, &figures);
    cr_expect_eq(figures.gaps, 2);
}

/* A picture of one packet. */
static void send_picture(bool key, uint8_t filler, uint8_t packet[static MPEGTS_PACKET_SIZE])
{
    struct craft craft = {.pid = PID_VIDEO,
                          .starts_pes = true,
                          .stream_id = STREAM_ID_VIDEO,
                          .random_access = key,
                          .payload_len = 30,
                          .filler = filler};

    craft_packet(&craft, packet);
    relay_peer_send(&peer, WS_OPCODE_BINARY, packet, MPEGTS_PACKET_SIZE);
}

static void send_tables(void)
{
    uint8_t tables[2 * MPEGTS_PACKET_SIZE];

    craft_pat(tables);
    craft_pmt(TYPE_H264, PID_VIDEO, tables + MPEGTS_PACKET_SIZE);
    relay_peer_send(&peer, WS_OPCODE_BINARY, tables, sizeof tables);
}

Test(receiver, waits_for_a_keyframe_of_a_video)
{
    uint8_t packet[MPEGTS_PACKET_SIZE];
    struct receiver_figures figures;
    GstBuffer *buffer;
    bool new_kind;

    open_receiver(STREAM_MPEGTS);
    send_tables();
    send_picture(false, 1, packet);
    send_picture(true, 2, packet);
    cr_assert_eq(receiver_next(&receiver, &buffer, &new_kind), GST_FLOW_OK);
    cr_expect(GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DISCONT));
    cr_assert_geq(gst_buffer_get_size(buffer), MPEGTS_PACKET_SIZE);
    cr_expect_eq(gst_buffer_memcmp(buffer, gst_buffer_get_size(buffer) - MPEGTS_PACKET_SIZE, packet,
                                   MPEGTS_PACKET_SIZE),
                 0, "the key picture is the end of the first buffer");
    gst_buffer_unref(buffer);
    receiver_figures(&receiver, &figures);
    cr_expect_geq(figures.skipped_messages, 1);
    send_picture(false, 3, packet);
    expect_buffer(packet, sizeof packet, false, false);
}

Test(receiver, passes_everything_where_the_user_wants_it)
{
    uint8_t packet[MPEGTS_PACKET_SIZE];

    g_object_set(element, "recover", SRC_RECOVER_NONE, NULL);
    open_receiver(STREAM_MPEGTS);
    send_picture(false, 1, packet);
    expect_buffer(packet, sizeof packet, true, false);
}

Test(receiver, gives_the_thread_back_when_waits_are_cancelled)
{
    GstBuffer *buffer;
    bool new_kind;

    open_receiver(STREAM_TEXT);
    link_cancel_waits(&own_link, true);
    cr_expect_eq(receiver_next(&receiver, &buffer, &new_kind), GST_FLOW_FLUSHING);
    link_cancel_waits(&own_link, false);
    send_text("again");
    expect_buffer("again", 5, true, false);
}

static GstFlowReturn flow_after_close(uint16_t code)
{
    GstBuffer *buffer;
    bool new_kind;

    g_object_set(element, "auto-reconnect", FALSE, NULL);
    open_receiver(STREAM_TEXT);
    send_text("last");
    relay_peer_send_close(&peer, code);
    expect_buffer("last", 4, true, false);
    return receiver_next(&receiver, &buffer, &new_kind);
}

Test(receiver, ends_with_a_normal_close)
{
    cr_expect_eq(flow_after_close(WS_CLOSE_NORMAL), GST_FLOW_EOS);
}

Test(receiver, fails_with_any_other_close)
{
    cr_expect_eq(flow_after_close(WS_CLOSE_DENIED), GST_FLOW_ERROR);
}

/* docs/protocol.md: what the relay puts in front of a payload, and a viewer's report. */
Test(receiver, reports_how_the_pipeline_keeps_up)
{
    uint8_t message[32 + 4] = {[3] = 7, [15] = 9, [23] = 10, [31] = 11};
    uint8_t taken[64];
    enum ws_opcode opcode;
    struct bytes report = {0};

    g_object_set(element, "max-age", GST_SECOND, NULL);
    open_link(STREAM_DATA);
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, "relay.v1");
    memcpy(message + 32, "data", 4);
    for (gint64 end_us = g_get_monotonic_time() + 20 * G_TIME_SPAN_SECOND; report.len != 48;) {
        cr_assert_lt(g_get_monotonic_time(), end_us, "no report came");
        GstBuffer *buffer;
        bool new_kind;

        relay_peer_send(&peer, WS_OPCODE_BINARY, message, sizeof message);
        cr_assert_eq(receiver_next(&receiver, &buffer, &new_kind), GST_FLOW_OK);
        cr_expect_eq(gst_buffer_get_size(buffer), 4);
        gst_buffer_unref(buffer);
        struct pollfd ready = {.fd = peer.fd, .events = POLLIN};

        if (poll(&ready, 1, 10) == 1) {
            report = relay_peer_take(&peer, &opcode, taken, sizeof taken);
        }
    }
    cr_expect_eq(taken[0], 0x45);
    cr_expect_eq(taken[11], 9, "sent");
    cr_expect_eq(taken[19], 11, "forwarded");
}
