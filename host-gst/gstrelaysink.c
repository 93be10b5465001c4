/**
 * SECTION:element-relaysink
 * @title: relaysink
 *
 * Sends a live stream to a relay, from where any number of viewers get it: one WebSocket message
 * per video frame (MPEG-TS), per image (JPEG) or per buffer (data). It never blocks the pipeline
 * unless asked to, reconnects by itself, resumes with a keyframe after a loss, and can stay silent
 * while there are no viewers.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 v4l2src ! videoconvert ! video/x-raw,format=I420 ! x264enc tune=zerolatency
 *   speed-preset=ultrafast key-int-max=50 ! mpegtsmux ! relaysink
 *   location=https://relay.example.org/session/expt00-video token-file=/etc/relay/video.token
 * ]| An H.264 camera with the lowest latency.
 */
#include "host-gst/gstrelaysink.h"

#include <string.h>

#include "base/clock.h"
#include "host-gst/link/link.h"
#include "host-gst/link/link_uri.h"
#include "host-gst/sink/key_request.h"
#include "host-gst/sink/message_assembler.h"
#include "host-gst/sink/publisher.h"
#include "host-gst/sink/sink_settings.h"
#include "host-gst/sink/sink_statistics.h"

GST_DEBUG_CATEGORY(relay_sink_debug);
#define GST_CAT_DEFAULT relay_sink_debug

/* Lock order: preroll lock, the assembler's, object lock, the link's. The client's thread
 * takes only the object lock, and that of key_request, which is taken alone. */
struct _GstRelaySink {
    GstBaseSink parent;

    struct sink_settings settings; /* object lock */
    bool settings_changed;         /* object lock; true until a client runs with them */
    struct sink_drop drop;         /* object lock */

    struct link link;
    struct publisher publisher;
    struct message_assembler assembler;
    struct key_request key_request;

    /* Streaming thread. */
    struct stream_headers headers;
    bool liveness_checked;
};

G_DEFINE_TYPE_WITH_CODE(GstRelaySink, gst_relay_sink, GST_TYPE_BASE_SINK,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, link_uri_sink_init))

static GstStaticPadTemplate sink_template =
    GST_STATIC_PAD_TEMPLATE("sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static struct link_specs specs;

/* Called with the object lock. */
static void limits_set(GstRelaySink *sink)
{
    struct sink_drop_limits limits;

    sink_drop_limits(&sink->drop, &sink->settings, &limits);
    publisher_set_limits(&sink->publisher, &limits);
}

/* Called with the assembler's lock, on the way to the publisher: what the stream carries is known
 * from the first buffer on. */
static GstFlowReturn message_send(const struct outgoing *message, bool may_wait, void *context)
{
    GstRelaySink *sink = context;

    GST_OBJECT_LOCK(sink);
    if (sink_drop_see(&sink->drop, assembler_is_independent(&sink->assembler))) {
        limits_set(sink);
    }
    GST_OBJECT_UNLOCK(sink);
    return publisher_send(&sink->publisher, message, sink->assembler.kind, may_wait);
}

static bool frames_may_flush(void *context)
{
    GstRelaySink *sink = context;

    return !g_atomic_int_get(&sink->publisher.waits);
}

static void stream_on_notice(enum stream_notice notice, void *context)
{
    stream_notice_post(GST_ELEMENT(context), notice);
}

/* On the client's thread. */
static void on_keyframe_wanted(GstElement *element)
{
    GstRelaySink *sink = GST_RELAY_SINK(element);

    GST_OBJECT_LOCK(sink);
    bool enabled = sink->settings.request_keyframe;

    GST_OBJECT_UNLOCK(sink);
    if (enabled) {
        key_request_make(&sink->key_request);
    }
}

#define NOT_LIVE_HINT                                                                              \
    "the source is not live, so its data is sent as fast as it comes: set sync=true for its own "  \
    "pace, wait-for-connection=true to lose nothing"

/* On a thread that holds no lock: the query runs through the whole pipeline. */
static void liveness_check(GstElement *element, gpointer data)
{
    GstQuery *query = gst_query_new_latency();
    gboolean live = TRUE;

    if (gst_pad_peer_query(GST_BASE_SINK_PAD(element), query)) {
        gst_query_parse_latency(query, &live, NULL, NULL);
    }
    gst_query_unref(query);
    if (!live) {
        /* gst-launch-1.0 prints the second text only. */
        GST_ELEMENT_INFO(element, RESOURCE, SETTINGS, (NOT_LIVE_HINT), (NOT_LIVE_HINT));
    }
}

static void liveness_check_once(GstRelaySink *sink, GstBuffer *buffer)
{
    GstBaseSink *base = GST_BASE_SINK(sink);

    if (sink->liveness_checked) {
        return;
    }
    sink->liveness_checked = true;
    if (base->segment.format == GST_FORMAT_TIME && GST_BUFFER_PTS_IS_VALID(buffer) &&
        !gst_base_sink_get_sync(base) && !g_atomic_int_get(&sink->publisher.waits)) {
        gst_element_call_async(GST_ELEMENT(sink), liveness_check, NULL, NULL);
    }
}

/* Sends withheld stream headers that turned out not to be those of the caps. */
static GstFlowReturn withheld_push(GstRelaySink *sink)
{
    GstFlowReturn flow = GST_FLOW_OK;
    GstBuffer *buffer;

    while (flow == GST_FLOW_OK && (buffer = stream_headers_next_withheld(&sink->headers)) != NULL) {
        flow = assembler_push_buffer(&sink->assembler, buffer);
        gst_buffer_unref(buffer);
    }
    return flow;
}

static GstFlowReturn relay_sink_render(GstBaseSink *base, GstBuffer *buffer)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);
    GstFlowReturn flow;

    liveness_check_once(sink, buffer);
    if (stream_headers_take(&sink->headers, buffer)) {
        return GST_FLOW_OK;
    }
    flow = withheld_push(sink);
    return flow == GST_FLOW_OK ? assembler_push_buffer(&sink->assembler, buffer) : flow;
}

static GstFlowReturn relay_sink_render_list(GstBaseSink *base, GstBufferList *list)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);
    GstFlowReturn flow;

    if (gst_buffer_list_length(list) == 0) {
        return GST_FLOW_OK;
    }
    liveness_check_once(sink, gst_buffer_list_get(list, 0));
    flow = withheld_push(sink);
    if (flow == GST_FLOW_OK) {
        list = stream_headers_filter(&sink->headers, gst_buffer_list_ref(list));
        flow = assembler_push_list(&sink->assembler, list);
        gst_buffer_list_unref(list);
    }
    return flow;
}

/* Each page of Ogg stands alone (RFC 3533 §6), and oggmux marks few that begin with a keyframe. */
static bool is_ogg(const GstCaps *caps)
{
    return g_str_has_suffix(gst_structure_get_name(gst_caps_get_structure(caps, 0)), "/ogg");
}

/* A transport stream repeats its tables, and copies of them would break its continuity counters. */
static void headers_set(GstRelaySink *sink, const GstCaps *caps)
{
    stream_headers_set_caps(&sink->headers,
                            stream_kind_of_caps(caps) == STREAM_MPEGTS ? NULL : caps);
    if (!publisher_set_headers(&sink->publisher, &sink->headers)) {
        stream_notice_post(GST_ELEMENT(sink), STREAM_NOTICE_HEADERS_TOO_LARGE);
    }
}

static gboolean relay_sink_set_caps(GstBaseSink *base, GstCaps *caps)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);
    gint packet_size = MPEGTS_PACKET_SIZE;

    if (stream_kind_of_caps(caps) == STREAM_MPEGTS) {
        gst_structure_get_int(gst_caps_get_structure(caps, 0), "packetsize", &packet_size);
    }
    if (packet_size != MPEGTS_PACKET_SIZE) {
        GST_ELEMENT_WARNING(sink, STREAM, FORMAT,
                            ("transport stream packets of %d bytes are not supported: set "
                             "m2ts-mode=false on the muxer",
                             packet_size),
                            (NULL));
        return FALSE;
    }
    headers_set(sink, caps);
    assembler_set_kind(&sink->assembler, stream_kind_of_caps(caps),
                       stream_headers_any(&sink->headers) && !is_ogg(caps));
    return TRUE;
}

/* Sends the rest and waits for it, until eos-timeout expires or unlock is called. The base class
 * holds the preroll lock for all serialised events but the end of a flush. */
static GstFlowReturn drain(GstRelaySink *sink)
{
    guint timeout_ms;

    GST_OBJECT_LOCK(sink);
    timeout_ms = sink->settings.eos_timeout_ms;
    GST_OBJECT_UNLOCK(sink);
    publisher_end(&sink->publisher, MAX(timeout_ms, 1));
    (void)withheld_push(sink);
    (void)assembler_finish(&sink->assembler); /* the reason is determined again below */
    publisher_end(&sink->publisher, 0);
    return publisher_drain(&sink->publisher, timeout_ms);
}

static gboolean relay_sink_event(GstBaseSink *base, GstEvent *event)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);

    if (GST_EVENT_TYPE(event) == GST_EVENT_EOS) {
        if (drain(sink) != GST_FLOW_OK) {
            gst_event_unref(event); /* the stream is over before its end */
            return FALSE;
        }
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_START) {
        /* The base class goes first: a waiter for the end of the stream must see the flush, not
         * that everything is sent. */
        gboolean handled = GST_BASE_SINK_CLASS(gst_relay_sink_parent_class)->event(base, event);

        publisher_flush(&sink->publisher);
        return handled;
    } else if (GST_EVENT_TYPE(event) == GST_EVENT_FLUSH_STOP) {
        stream_headers_flush(&sink->headers);
        assembler_reset(&sink->assembler);
    }
    return GST_BASE_SINK_CLASS(gst_relay_sink_parent_class)->event(base, event);
}

static gboolean relay_sink_unlock(GstBaseSink *base)
{
    link_cancel_waits(&GST_RELAY_SINK(base)->link, true);
    return TRUE;
}

static gboolean relay_sink_unlock_stop(GstBaseSink *base)
{
    link_cancel_waits(&GST_RELAY_SINK(base)->link, false);
    return TRUE;
}

/* --- life --- */

static bool publisher_open_with_settings(GstRelaySink *sink, enum sink_framing *ret_framing)
{
    char error[RELAY_CLIENT_ERROR_SIZE] = "";
    struct sink_drop_limits limits;
    bool opened;

    GST_OBJECT_LOCK(sink);
    sink_drop_init(&sink->drop);
    sink_drop_limits(&sink->drop, &sink->settings, &limits);
    opened = publisher_open(&sink->publisher, &sink->settings, &limits, error);
    sink->settings_changed = !opened; /* so that the next change to PAUSED tries again */
    *ret_framing = (enum sink_framing)sink->settings.framing;
    GST_OBJECT_UNLOCK(sink);
    if (!opened) {
        GST_ELEMENT_ERROR(sink, RESOURCE, SETTINGS, ("%s", error), (NULL));
    }
    return opened;
}

static void token_file_check(GstRelaySink *sink)
{
    char *path;

    GST_OBJECT_LOCK(sink);
    path = g_strdup(sink->settings.link.token_file);
    GST_OBJECT_UNLOCK(sink);
    link_check_token_file(&sink->link, path);
    g_free(path);
}

static gboolean relay_sink_start(GstBaseSink *base)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);
    enum sink_framing framing;

    key_request_open(&sink->key_request);
    if (!publisher_open_with_settings(sink, &framing)) {
        return FALSE;
    }
    stream_headers_reset(&sink->headers);
    sink->liveness_checked = false;
    if (!assembler_start(&sink->assembler, framing)) {
        link_close(&sink->link);
        GST_OBJECT_LOCK(sink);
        sink->settings_changed = true;
        GST_OBJECT_UNLOCK(sink);
        GST_ELEMENT_ERROR(sink, RESOURCE, FAILED, ("cannot start a thread"), (NULL));
        return FALSE;
    }
    token_file_check(sink);
    return TRUE;
}

static gboolean relay_sink_stop(GstBaseSink *base)
{
    GstRelaySink *sink = GST_RELAY_SINK(base);

    assembler_stop(&sink->assembler);
    link_close(&sink->link);
    key_request_close(&sink->key_request);
    return TRUE;
}

/* Settings that changed in READY need a new connection. */
static bool settings_apply(GstRelaySink *sink)
{
    bool changed;

    GST_OBJECT_LOCK(sink);
    changed = sink->settings_changed;
    GST_OBJECT_UNLOCK(sink);
    if (!changed) {
        return true;
    }
    relay_sink_stop(GST_BASE_SINK(sink));
    return relay_sink_start(GST_BASE_SINK(sink));
}

static GstStateChangeReturn relay_sink_change_state(GstElement *element, GstStateChange transition)
{
    if (transition == GST_STATE_CHANGE_READY_TO_PAUSED &&
        !settings_apply(GST_RELAY_SINK(element))) {
        return GST_STATE_CHANGE_FAILURE;
    }
    return GST_ELEMENT_CLASS(gst_relay_sink_parent_class)->change_state(element, transition);
}

/* --- properties --- */

static void relay_sink_set_property(GObject *object, guint property, const GValue *value,
                                    GParamSpec *spec)
{
    GstRelaySink *sink = GST_RELAY_SINK(object);
    int result = 0;
    bool known;

    GST_OBJECT_LOCK(sink);
    known = link_settings_set(&sink_settings_table, &sink->settings.link, property, value);
    if (!(spec->flags & GST_PARAM_MUTABLE_PLAYING)) {
        sink->settings_changed = true;
    } else if (known) {
        limits_set(sink);
        result = link_apply(&sink->link, &sink->settings.link, property);
    }
    GST_OBJECT_UNLOCK(sink);
    if (!known) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
    link_tell_token(&sink->link, result);
}

static GstStructure *statistics_get(GstRelaySink *sink)
{
    struct relay_client_statistics statistics;

    publisher_statistics(&sink->publisher, &statistics);
    return sink_statistics_structure(&statistics, key_request_count(&sink->key_request),
                                     gst_base_sink_get_stats(GST_BASE_SINK(sink)));
}

static void relay_sink_get_property(GObject *object, guint property, GValue *value,
                                    GParamSpec *spec)
{
    GstRelaySink *sink = GST_RELAY_SINK(object);
    bool known;

    if (property == LINK_PROPERTY_STATS) {
        g_value_take_boxed(value, statistics_get(sink));
        return;
    }
    if (link_get(&sink->link, property, value)) {
        return;
    }
    GST_OBJECT_LOCK(sink);
    known = link_settings_get(&sink_settings_table, &sink->settings.link, property, value);
    GST_OBJECT_UNLOCK(sink);
    if (!known) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
}

static void relay_sink_finalize(GObject *object)
{
    GstRelaySink *sink = GST_RELAY_SINK(object);

    stream_headers_deinit(&sink->headers);
    assembler_deinit(&sink->assembler);
    link_settings_deinit(&sink_settings_table, &sink->settings.link);
    link_deinit(&sink->link);
    key_request_deinit(&sink->key_request);
    G_OBJECT_CLASS(gst_relay_sink_parent_class)->finalize(object);
}

static void gst_relay_sink_init(GstRelaySink *sink)
{
    const struct assembler_callbacks callbacks = {
        .send = message_send,
        .may_flush = frames_may_flush,
        .on_notice = stream_on_notice,
        .context = sink,
    };
    GstBaseSink *base = GST_BASE_SINK(sink);

    link_settings_init(&sink_settings_table, &sink->settings.link);
    link_init(&sink->link, GST_ELEMENT(sink), &specs, false);
    sink->link.on_keyframe_wanted = on_keyframe_wanted;
    key_request_init(&sink->key_request, GST_ELEMENT(sink), GST_BASE_SINK_PAD(sink));
    publisher_init(&sink->publisher, base, &sink->link);
    assembler_init(&sink->assembler, &callbacks);
    stream_headers_init(&sink->headers);

    /* A live sink: send buffers as they arrive, and do not make the pipeline wait for the first
     * one. */
    gst_base_sink_set_sync(base, FALSE);
    gst_base_sink_set_async_enabled(base, FALSE);
    gst_base_sink_set_last_sample_enabled(base, FALSE);
    gst_base_sink_set_processing_deadline(base, 0);
    gst_base_sink_set_qos_enabled(base, FALSE);
}

static void gst_relay_sink_class_init(GstRelaySinkClass *class)
{
    GObjectClass *object_class = G_OBJECT_CLASS(class);
    GstElementClass *element_class = GST_ELEMENT_CLASS(class);
    GstBaseSinkClass *base_class = GST_BASE_SINK_CLASS(class);

    GST_DEBUG_CATEGORY_INIT(relay_sink_debug, "relaysink", 0, "relay sink");
    object_class->set_property = relay_sink_set_property;
    object_class->get_property = relay_sink_get_property;
    object_class->finalize = relay_sink_finalize;
    link_settings_install(&sink_settings_table, object_class);
    link_install(object_class, &specs, false);

    gst_element_class_add_static_pad_template(element_class, &sink_template);
    gst_element_class_set_static_metadata(
        element_class, "Relay sink", "Sink/Network",
        "Sends live video and data to many viewers through a relay",
        "The relay project <relay@users.noreply.github.com>");
    element_class->change_state = GST_DEBUG_FUNCPTR(relay_sink_change_state);

    base_class->start = GST_DEBUG_FUNCPTR(relay_sink_start);
    base_class->stop = GST_DEBUG_FUNCPTR(relay_sink_stop);
    base_class->set_caps = GST_DEBUG_FUNCPTR(relay_sink_set_caps);
    base_class->event = GST_DEBUG_FUNCPTR(relay_sink_event);
    base_class->render = GST_DEBUG_FUNCPTR(relay_sink_render);
    base_class->render_list = GST_DEBUG_FUNCPTR(relay_sink_render_list);
    base_class->unlock = GST_DEBUG_FUNCPTR(relay_sink_unlock);
    base_class->unlock_stop = GST_DEBUG_FUNCPTR(relay_sink_unlock_stop);
}
