/* Goal: the source is live and without an end, has the caps that the user or the messages give, and
 * starts only with settings that can work. Method: the element itself, with a pad of the test's
 * behind it and a relay of the test's. */
#include "host-gst/gstrelaysrc.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/client/relay_peer.h"

enum { PATIENCE_S = 20 };

static GstElement *src;
static GstBus *bus;
static struct relay_peer peer;

static void start(void)
{
    char location[64];

    gst_init(NULL, NULL);
    src = gst_object_ref_sink(g_object_new(GST_TYPE_RELAY_SRC, NULL));
    bus = gst_bus_new();
    gst_element_set_bus(src, bus);
    relay_peer_open(&peer);
    g_object_set(src, "location", relay_peer_location(&peer, "http", location), "token", "eyJ.a.b",
                 "reconnect-delay", 1, NULL);
}

static void stop(void)
{
    gst_element_set_state(src, GST_STATE_NULL);
    gst_element_set_bus(src, NULL);
    gst_object_unref(src);
    gst_object_unref(bus);
    relay_peer_close(&peer);
}

TestSuite(gstrelaysrc, .init = start, .fini = stop);

/* A pad of the test's that takes what the source pushes. */

static GMutex lock;
static GCond changed;
static GstBuffer *pushed;
static GstCaps *told;

static GstFlowReturn on_buffer(GstPad *pad, GstObject *parent, GstBuffer *buffer)
{
    g_mutex_lock(&lock);
    gst_clear_buffer(&pushed);
    pushed = buffer;
    g_cond_signal(&changed);
    g_mutex_unlock(&lock);
    return GST_FLOW_OK;
}

static gboolean on_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    if (GST_EVENT_TYPE(event) == GST_EVENT_CAPS) {
        GstCaps *caps;

        gst_event_parse_caps(event, &caps);
        g_mutex_lock(&lock);
        gst_caps_replace(&told, caps);
        g_mutex_unlock(&lock);
    }
    gst_event_unref(event);
    return TRUE;
}

static GstPad *pad_link(void)
{
    GstPad *pad = gst_pad_new("sink", GST_PAD_SINK);
    GstPad *src_pad = gst_element_get_static_pad(src, "src");

    gst_pad_set_chain_function(pad, on_buffer);
    gst_pad_set_event_function(pad, on_event);
    cr_assert(gst_pad_set_active(pad, TRUE));
    cr_assert_eq(gst_pad_link(src_pad, pad), GST_PAD_LINK_OK);
    gst_object_unref(src_pad);
    return pad;
}

static void pad_unlink(GstPad *pad)
{
    gst_element_set_state(src, GST_STATE_NULL);
    gst_pad_set_active(pad, FALSE);
    gst_object_unref(pad);
    gst_clear_buffer(&pushed);
    gst_clear_caps(&told);
}

static void connect_peer(void)
{
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, NULL);
}

static void expect_pushed(const char *text, const char *caps_name)
{
    gint64 deadline_us = g_get_monotonic_time() + PATIENCE_S * G_TIME_SPAN_SECOND;

    g_mutex_lock(&lock);
    while (pushed == NULL) {
        cr_assert(g_cond_wait_until(&changed, &lock, deadline_us), "nothing was pushed");
    }
    cr_expect_eq(gst_buffer_get_size(pushed), strlen(text));
    cr_expect_eq(gst_buffer_memcmp(pushed, 0, text, strlen(text)), 0);
    cr_expect(gst_structure_has_name(gst_caps_get_structure(told, 0), caps_name));
    gst_clear_buffer(&pushed);
    g_mutex_unlock(&lock);
}

Test(gstrelaysrc, starts_only_with_a_location)
{
    GstMessage *message;

    g_object_set(src, "location", NULL, NULL);
    cr_expect_eq(gst_element_set_state(src, GST_STATE_PAUSED), GST_STATE_CHANGE_FAILURE);
    message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    cr_assert_not_null(message);
    gst_message_unref(message);
}

Test(gstrelaysrc, is_live_and_cannot_be_sought)
{
    GstQuery *query = gst_query_new_seeking(GST_FORMAT_TIME);
    gboolean seekable = TRUE;

    g_object_set(src, "location", "http://127.0.0.1:9/session/t", NULL);
    cr_expect_eq(gst_element_set_state(src, GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
    if (gst_element_query(src, query)) {
        gst_query_parse_seeking(query, NULL, &seekable, NULL, NULL);
        cr_expect_not(seekable);
    }
    gst_query_unref(query);
}

Test(gstrelaysrc, answers_with_the_latency_of_its_limit)
{
    static const struct {
        guint64 max_age, latency_max;
    } cases[] = {{GST_SECOND, GST_SECOND}, {0, GST_CLOCK_TIME_NONE}};

    for (size_t i = 0; i < G_N_ELEMENTS(cases); i++) {
        GstQuery *query = gst_query_new_latency();
        GstClockTime latency_min, latency_max;
        gboolean live;

        g_object_set(src, "max-age", cases[i].max_age, NULL);
        cr_assert(gst_element_query(src, query));
        gst_query_parse_latency(query, &live, &latency_min, &latency_max);
        cr_expect(live);
        cr_expect_eq(latency_min, 0);
        cr_expect_eq(latency_max, cases[i].latency_max);
        gst_query_unref(query);
    }
}

Test(gstrelaysrc, offers_the_caps_of_the_user)
{
    GstPad *pad = gst_element_get_static_pad(src, "src");
    GstCaps *caps = gst_caps_from_string("video/mpegts"), *filter = gst_caps_from_string("text/x");
    GstCaps *got = gst_pad_query_caps(pad, NULL);

    cr_expect(gst_caps_is_any(got));
    gst_caps_unref(got);
    g_object_set(src, "caps", caps, NULL);
    g_object_get(src, "caps", &got, NULL);
    cr_expect(gst_caps_is_equal(got, caps));
    gst_caps_unref(got);
    got = gst_pad_query_caps(pad, NULL);
    cr_expect(gst_caps_is_equal(got, caps));
    gst_caps_unref(got);
    got = gst_pad_query_caps(pad, filter);
    cr_expect(gst_caps_is_empty(got));
    gst_caps_unref(got);
    gst_caps_unref(filter);
    gst_caps_unref(caps);
    gst_object_unref(pad);
}

Test(gstrelaysrc, pushes_what_comes_with_the_caps_that_it_shows)
{
    GstPad *pad = pad_link();

    cr_assert_neq(gst_element_set_state(src, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    connect_peer();
    relay_peer_send(&peer, WS_OPCODE_TEXT, "line", 4);
    expect_pushed("line", "text/x-raw");
    relay_peer_send(&peer, WS_OPCODE_TEXT, "next", 4);
    expect_pushed("next", "text/x-raw");
    pad_unlink(pad);
}

/* What is taken while the pipeline is paused would be old when it goes on. */
Test(gstrelaysrc, takes_nothing_while_it_is_paused)
{
    GstPad *pad = pad_link();
    GstStructure *stats;
    guint64 queued = 0;

    cr_assert_neq(gst_element_set_state(src, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    connect_peer();
    relay_peer_send(&peer, WS_OPCODE_TEXT, "line", 4);
    expect_pushed("line", "text/x-raw");
    cr_assert_eq(gst_element_set_state(src, GST_STATE_PAUSED), GST_STATE_CHANGE_NO_PREROLL);
    g_object_set(src, "max-age", (guint64)0, NULL);
    relay_peer_send(&peer, WS_OPCODE_TEXT, "kept", 4);
    while (queued == 0) {
        g_object_get(src, "stats", &stats, NULL);
        cr_assert(gst_structure_get_uint64(stats, "queue-messages", &queued));
        gst_structure_free(stats);
    }
    cr_expect_null(pushed);
    cr_assert_neq(gst_element_set_state(src, GST_STATE_PLAYING), GST_STATE_CHANGE_FAILURE);
    expect_pushed("kept", "text/x-raw");
    pad_unlink(pad);
}

Test(gstrelaysrc, keeps_its_settings_and_no_token)
{
    char *token_file;
    guint64 max_age;
    gint status;

    g_object_set(src, "token-file", "/run/token", "max-age", (guint64)7, "max-queue-bytes",
                 (guint64)8, NULL);
    g_object_get(src, "token-file", &token_file, "max-age", &max_age, "status", &status, NULL);
    cr_expect_str_eq(token_file, "/run/token");
    cr_expect_eq(max_age, 7);
    cr_expect_eq(status, 0);
    g_free(token_file);
    GParamSpec *token = g_object_class_find_property(G_OBJECT_GET_CLASS(src), "token");

    cr_expect_not(token->flags & G_PARAM_READABLE);
}
