/**
 * SECTION:element-relaysrc
 * @title: relaysrc
 *
 * Receives a live stream or data from a relay: one buffer per WebSocket message. It reconnects by
 * itself, a video starts and goes on with a keyframe, and nothing that waited too long is passed
 * on.
 *
 * ## Example launch line
 * |[
 * gst-launch-1.0 relaysrc location=https://relay.example.org/session/expt00-video
 *   token-file=/etc/relay/viewer.token ! decodebin3 ! videoconvert ! autovideosink
 * ]| A window that shows a video, whatever its format.
 */
#include "host-gst/gstrelaysrc.h"

#include <gst/base/gsttypefindhelper.h>

#include "host-gst/link/link.h"
#include "host-gst/link/link_uri.h"
#include "host-gst/src/receiver.h"
#include "host-gst/src/src_settings.h"
#include "host-gst/src/src_statistics.h"

GST_DEBUG_CATEGORY_STATIC(relay_src_debug);
#define GST_CAT_DEFAULT relay_src_debug

/* Lock order: object lock or flow lock, the link's. The client's thread takes only the object lock.
 */
struct _GstRelaySrc {
    GstPushSrc parent;

    struct src_settings settings; /* object lock */
    GstCaps *caps;                /* object lock; NULL: the messages show it */

    struct link link;
    struct receiver receiver;

    GMutex flow_lock; /* guards the rest */
    GCond flow_changed;
    bool unlocked; /* the base class wants the streaming thread back */
    bool paused;
};

G_DEFINE_TYPE_WITH_CODE(GstRelaySrc, gst_relay_src, GST_TYPE_PUSH_SRC,
                        G_IMPLEMENT_INTERFACE(GST_TYPE_URI_HANDLER, link_uri_src_init))

static GstStaticPadTemplate src_template =
    GST_STATIC_PAD_TEMPLATE("src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS_ANY);

static struct link_specs specs;

/* --- streaming --- */

/* Containers and others that have no kind of their own here. NULL: not certain. */
static GstCaps *caps_find(GstRelaySrc *src, GstBuffer *buffer)
{
    GstTypeFindProbability probability = GST_TYPE_FIND_NONE;
    GstCaps *caps = gst_type_find_helper_for_buffer(GST_OBJECT(src), buffer, &probability);

    if (caps != NULL && probability < GST_TYPE_FIND_LIKELY) {
        gst_clear_caps(&caps);
    }
    return caps;
}

static GstCaps *caps_of(GstRelaySrc *src, enum stream_kind kind, GstBuffer *buffer)
{
    GstCaps *found;

    switch (kind) {
    case STREAM_MPEGTS:
        return gst_caps_new_simple("video/mpegts", "systemstream", G_TYPE_BOOLEAN, TRUE,
                                   "packetsize", G_TYPE_INT, MPEGTS_PACKET_SIZE, NULL);
    case STREAM_IMAGE:
        return gst_caps_new_empty_simple("image/jpeg");
    case STREAM_TEXT:
        return gst_caps_new_simple("text/x-raw", "format", G_TYPE_STRING, "utf8", NULL);
    case STREAM_UNKNOWN:
    case STREAM_DATA:
        break;
    }
    found = caps_find(src, buffer);
    return found != NULL ? found : gst_caps_new_empty_simple("application/octet-stream");
}

static GstFlowReturn caps_tell(GstRelaySrc *src, GstBuffer *buffer)
{
    GstCaps *caps = caps_of(src, src->receiver.gate.kind, buffer);
    gboolean accepted;

    GST_DEBUG_OBJECT(src, "the stream is %" GST_PTR_FORMAT, caps);
    accepted = gst_base_src_set_caps(GST_BASE_SRC(src), caps);
    gst_caps_unref(caps);
    return accepted ? GST_FLOW_OK : GST_FLOW_NOT_NEGOTIATED;
}

/* Until the element is not paused any more. False: the base class wants the thread back. */
static bool playing_wait(GstRelaySrc *src)
{
    bool unlocked;

    g_mutex_lock(&src->flow_lock);
    while (src->paused && !src->unlocked) {
        g_cond_wait(&src->flow_changed, &src->flow_lock);
    }
    unlocked = src->unlocked;
    g_mutex_unlock(&src->flow_lock);
    return !unlocked;
}

static GstFlowReturn relay_src_create(GstPushSrc *push, GstBuffer **ret_buffer)
{
    GstRelaySrc *src = GST_RELAY_SRC(push);
    GstFlowReturn flow;
    GstBuffer *buffer;
    bool new_kind;

    do {
        flow = receiver_next(&src->receiver, &buffer, &new_kind);
    } while (flow == GST_FLOW_FLUSHING && playing_wait(src));
    if (flow == GST_FLOW_OK && new_kind) {
        flow = caps_tell(src, buffer);
        if (flow != GST_FLOW_OK) {
            gst_buffer_unref(buffer);
        }
    }
    if (flow == GST_FLOW_OK) {
        *ret_buffer = buffer;
    }
    return flow;
}

static void flow_set(GstRelaySrc *src, bool *flag, bool value)
{
    g_mutex_lock(&src->flow_lock);
    *flag = value;
    link_cancel_waits(&src->link, src->unlocked || src->paused);
    g_cond_signal(&src->flow_changed);
    g_mutex_unlock(&src->flow_lock);
}

static gboolean relay_src_unlock(GstBaseSrc *base)
{
    GstRelaySrc *src = GST_RELAY_SRC(base);

    flow_set(src, &src->unlocked, true);
    return TRUE;
}

static gboolean relay_src_unlock_stop(GstBaseSrc *base)
{
    GstRelaySrc *src = GST_RELAY_SRC(base);

    flow_set(src, &src->unlocked, false);
    return TRUE;
}

static GstCaps *relay_src_get_caps(GstBaseSrc *base, GstCaps *filter)
{
    GstRelaySrc *src = GST_RELAY_SRC(base);
    GstCaps *caps, *filtered;

    GST_OBJECT_LOCK(src);
    caps = src->caps != NULL ? gst_caps_ref(src->caps) : gst_caps_new_any();
    GST_OBJECT_UNLOCK(src);
    if (filter != NULL) {
        filtered = gst_caps_intersect_full(filter, caps, GST_CAPS_INTERSECT_FIRST);
        gst_caps_unref(caps);
        caps = filtered;
    }
    return caps;
}

static gboolean latency_answer(GstRelaySrc *src, GstQuery *query)
{
    guint64 max_age_ns;

    GST_OBJECT_LOCK(src);
    max_age_ns = src->settings.max_age_ns;
    GST_OBJECT_UNLOCK(src);
    gst_query_set_latency(query, TRUE, 0, max_age_ns > 0 ? max_age_ns : GST_CLOCK_TIME_NONE);
    return TRUE;
}

static gboolean relay_src_query(GstBaseSrc *base, GstQuery *query)
{
    if (GST_QUERY_TYPE(query) == GST_QUERY_LATENCY) {
        return latency_answer(GST_RELAY_SRC(base), query);
    }
    return GST_BASE_SRC_CLASS(gst_relay_src_parent_class)->query(base, query);
}

static gboolean relay_src_is_seekable(GstBaseSrc *base)
{
    return FALSE;
}

/* --- life --- */

static bool link_open_with_settings(GstRelaySrc *src, enum stream_kind *ret_kind)
{
    char error[RELAY_CLIENT_ERROR_SIZE] = "";
    struct relay_client_options options;
    bool opened;

    GST_OBJECT_LOCK(src);
    src_settings_to_options(&src->settings, &options);
    opened = link_open(&src->link, &src->settings.link, &options, error);
    *ret_kind = stream_kind_of_caps(src->caps);
    GST_OBJECT_UNLOCK(src);
    if (!opened) {
        GST_ELEMENT_ERROR(src, RESOURCE, SETTINGS, ("%s", error), (NULL));
    }
    return opened;
}

static gboolean relay_src_start(GstBaseSrc *base)
{
    GstRelaySrc *src = GST_RELAY_SRC(base);
    enum stream_kind kind;
    char *path;

    if (!link_open_with_settings(src, &kind)) {
        return FALSE;
    }
    receiver_open(&src->receiver, kind);
    GST_OBJECT_LOCK(src);
    receiver_apply(&src->receiver, &src->settings);
    path = g_strdup(src->settings.link.token_file);
    GST_OBJECT_UNLOCK(src);
    link_check_token_file(&src->link, path);
    g_free(path);
    return TRUE;
}

static gboolean relay_src_stop(GstBaseSrc *base)
{
    link_close(&GST_RELAY_SRC(base)->link);
    return TRUE;
}

/* The base class lets a waiting create go on in PAUSED: it would take one more message, which it
 * keeps until PLAYING, however old it is by then. */
static GstStateChangeReturn relay_src_change_state(GstElement *element, GstStateChange transition)
{
    GstRelaySrc *src = GST_RELAY_SRC(element);

    if (transition == GST_STATE_CHANGE_PLAYING_TO_PAUSED) {
        flow_set(src, &src->paused, true);
    } else if (transition == GST_STATE_CHANGE_PAUSED_TO_PLAYING) {
        flow_set(src, &src->paused, false);
    }
    return GST_ELEMENT_CLASS(gst_relay_src_parent_class)->change_state(element, transition);
}

/* --- properties --- */

/* With the object lock. */
static bool setting_set(GstRelaySrc *src, guint property, const GValue *value)
{
    if (property != SRC_PROPERTY_CAPS) {
        return link_settings_set(&src_settings_table, &src->settings.link, property, value);
    }
    gst_caps_take(&src->caps, g_value_dup_boxed(value));
    return true;
}

static void relay_src_set_property(GObject *object, guint property, const GValue *value,
                                   GParamSpec *spec)
{
    GstRelaySrc *src = GST_RELAY_SRC(object);
    int result = 0;
    bool known;

    GST_OBJECT_LOCK(src);
    known = setting_set(src, property, value);
    if (known && (spec->flags & GST_PARAM_MUTABLE_PLAYING)) {
        receiver_apply(&src->receiver, &src->settings);
        result = link_apply(&src->link, &src->settings.link, property);
    }
    GST_OBJECT_UNLOCK(src);
    if (!known) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
    link_tell_token(&src->link, result);
}

static GstStructure *statistics_get(GstRelaySrc *src)
{
    struct relay_client_statistics statistics;
    struct receiver_figures figures;

    link_statistics(&src->link, &statistics);
    receiver_figures(&src->receiver, &figures);
    return src_statistics_structure(&statistics, &figures);
}

static void relay_src_get_property(GObject *object, guint property, GValue *value, GParamSpec *spec)
{
    GstRelaySrc *src = GST_RELAY_SRC(object);
    bool known = true;

    if (property == LINK_PROPERTY_STATS) {
        g_value_take_boxed(value, statistics_get(src));
        return;
    }
    if (link_get(&src->link, property, value)) {
        return;
    }
    GST_OBJECT_LOCK(src);
    if (property == SRC_PROPERTY_CAPS) {
        g_value_set_boxed(value, src->caps);
    } else {
        known = link_settings_get(&src_settings_table, &src->settings.link, property, value);
    }
    GST_OBJECT_UNLOCK(src);
    if (!known) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
}

static void relay_src_finalize(GObject *object)
{
    GstRelaySrc *src = GST_RELAY_SRC(object);

    gst_clear_caps(&src->caps);
    link_settings_deinit(&src_settings_table, &src->settings.link);
    receiver_deinit(&src->receiver);
    link_deinit(&src->link);
    g_cond_clear(&src->flow_changed);
    g_mutex_clear(&src->flow_lock);
    G_OBJECT_CLASS(gst_relay_src_parent_class)->finalize(object);
}

static void gst_relay_src_init(GstRelaySrc *src)
{
    GstBaseSrc *base = GST_BASE_SRC(src);

    link_settings_init(&src_settings_table, &src->settings.link);
    link_init(&src->link, GST_ELEMENT(src), &specs, true);
    receiver_init(&src->receiver, &src->link);
    g_mutex_init(&src->flow_lock);
    g_cond_init(&src->flow_changed);
    gst_base_src_set_live(base, TRUE);
    gst_base_src_set_format(base, GST_FORMAT_TIME);
    gst_base_src_set_do_timestamp(base, TRUE);
}

static void properties_install(GObjectClass *class)
{
    class->set_property = relay_src_set_property;
    class->get_property = relay_src_get_property;
    class->finalize = relay_src_finalize;
    link_settings_install(&src_settings_table, class);
    link_install(class, &specs, true);
    g_object_class_install_property(
        class, SRC_PROPERTY_CAPS,
        g_param_spec_boxed(
            "caps", "Caps", "The stream's caps (NULL = the messages show what they are)",
            GST_TYPE_CAPS,
            (GParamFlags)(G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)));
}

static void gst_relay_src_class_init(GstRelaySrcClass *class)
{
    GstElementClass *element_class = GST_ELEMENT_CLASS(class);
    GstBaseSrcClass *base_class = GST_BASE_SRC_CLASS(class);

    GST_DEBUG_CATEGORY_INIT(relay_src_debug, "relaysrc", 0, "relay source");
    properties_install(G_OBJECT_CLASS(class));
    gst_element_class_add_static_pad_template(element_class, &src_template);
    gst_element_class_set_static_metadata(element_class, "Relay source", "Source/Network",
                                          "Receives live video and data from a relay",
                                          "The relay project <relay@users.noreply.github.com>");
    element_class->change_state = GST_DEBUG_FUNCPTR(relay_src_change_state);

    base_class->start = GST_DEBUG_FUNCPTR(relay_src_start);
    base_class->stop = GST_DEBUG_FUNCPTR(relay_src_stop);
    base_class->unlock = GST_DEBUG_FUNCPTR(relay_src_unlock);
    base_class->unlock_stop = GST_DEBUG_FUNCPTR(relay_src_unlock_stop);
    base_class->get_caps = GST_DEBUG_FUNCPTR(relay_src_get_caps);
    base_class->query = GST_DEBUG_FUNCPTR(relay_src_query);
    base_class->is_seekable = GST_DEBUG_FUNCPTR(relay_src_is_seekable);
    GST_PUSH_SRC_CLASS(class)->create = GST_DEBUG_FUNCPTR(relay_src_create);
}
