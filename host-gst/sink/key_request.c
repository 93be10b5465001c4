#include "host-gst/sink/key_request.h"

#include "base/clock.h"

GST_DEBUG_CATEGORY_EXTERN(relay_sink_debug);
#define GST_CAT_DEFAULT relay_sink_debug

void key_request_init(struct key_request *request, GstElement *element, GstPad *pad)
{
    *request = (struct key_request){.element = element, .pad = pad};
    g_mutex_init(&request->lock);
}

void key_request_deinit(struct key_request *request)
{
    g_mutex_clear(&request->lock);
}

void key_request_open(struct key_request *request)
{
    g_mutex_lock(&request->lock);
    request->open = true;
    request->pending = false;
    request->asked_ms = 0;
    request->count = 0;
    g_mutex_unlock(&request->lock);
}

static void wait_drop(struct key_request *request)
{
    if (request->wait != NULL) {
        gst_clock_id_unschedule(request->wait);
        gst_clock_id_unref(request->wait);
        request->wait = NULL;
    }
}

void key_request_close(struct key_request *request)
{
    g_mutex_lock(&request->lock);
    request->open = false;
    wait_drop(request);
    g_mutex_unlock(&request->lock);
}

/* False: it was closed, or opened again, meanwhile. */
static bool begin(struct key_request *request)
{
    g_mutex_lock(&request->lock);
    bool may_ask = request->open && request->pending;

    if (may_ask) {
        request->pending = false;
        request->asked_ms = clock_monotonic_ms();
        request->count++;
    }
    g_mutex_unlock(&request->lock);
    return may_ask;
}

/* The element lives as long as this runs. */
static void push(GstElement *element, gpointer data)
{
    struct key_request *request = data;

    if (!begin(request)) {
        return;
    }
    GST_DEBUG_OBJECT(element, "asking the encoder for a keyframe");
    gst_pad_push_event(
        request->pad,
        gst_event_new_custom(GST_EVENT_CUSTOM_UPSTREAM,
                             gst_structure_new("GstForceKeyUnit", "running-time", G_TYPE_UINT64,
                                               GST_CLOCK_TIME_NONE, "all-headers", G_TYPE_BOOLEAN,
                                               TRUE, "count", G_TYPE_UINT, 0, NULL)));
}

static void owner_unref(gpointer data)
{
    gst_object_unref(((struct key_request *)data)->element);
}

static gboolean on_due(GstClock *clock, GstClockTime time, GstClockID id, gpointer data)
{
    struct key_request *request = data;

    gst_element_call_async(request->element, push, request, NULL);
    return TRUE;
}

static void wait_begin(struct key_request *request, uint64_t wait_ms)
{
    GstClock *clock = gst_system_clock_obtain();

    wait_drop(request);
    request->wait =
        gst_clock_new_single_shot_id(clock, gst_clock_get_time(clock) + wait_ms * GST_MSECOND);
    gst_object_ref(request->element);
    (void)gst_clock_id_wait_async(request->wait, on_due, request, owner_unref);
    gst_object_unref(clock);
}

/* Until one more may be made. */
static uint64_t wait_ms_of(const struct key_request *request)
{
    uint64_t passed_ms = clock_monotonic_ms() - request->asked_ms;

    return request->asked_ms == 0 || passed_ms >= KEY_REQUEST_INTERVAL_MS
               ? 0
               : KEY_REQUEST_INTERVAL_MS - passed_ms;
}

void key_request_make(struct key_request *request)
{
    g_mutex_lock(&request->lock);
    bool is_first = request->open && !request->pending;
    uint64_t wait_ms = wait_ms_of(request);

    request->pending |= is_first;
    if (is_first && wait_ms > 0) {
        wait_begin(request, wait_ms);
    }
    g_mutex_unlock(&request->lock);
    if (is_first && wait_ms == 0) {
        gst_element_call_async(request->element, push, request, NULL);
    }
}

guint64 key_request_count(struct key_request *request)
{
    g_mutex_lock(&request->lock);
    guint64 count = request->count;

    g_mutex_unlock(&request->lock);
    return count;
}
