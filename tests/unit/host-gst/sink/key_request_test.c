/* Goal: a request goes upstream at once and without a buffer, on another thread than the one that
 * asks; those that come too early become one, when its time has come; none is made while closed.
 * Method: a pad with a peer that counts events and tells its time; waits end with the event. */
#include "host-gst/sink/key_request.h"

#include <criterion/criterion.h>

#include "base/clock.h"
#include "tests/unit/host-gst/element.h"

enum { WAIT_S = 30 };

static struct {
    TestElement *element;
    GstPad *pad, *peer;
    struct key_request request;
    GMutex lock;
    GCond changed;
    unsigned events;
    uint64_t last_ms; /* of the last one */
    GThread *thread;
} stage;

static gboolean on_event(GstPad *pad, GstObject *parent, GstEvent *event)
{
    gboolean is_request = gst_event_has_name(event, "GstForceKeyUnit");

    gst_event_unref(event);
    g_mutex_lock(&stage.lock);
    stage.events += is_request ? 1 : 0;
    stage.last_ms = clock_monotonic_ms();
    stage.thread = g_thread_self();
    g_cond_broadcast(&stage.changed);
    g_mutex_unlock(&stage.lock);
    return TRUE;
}

static void open_stage(void)
{
    gst_init(NULL, NULL);
    g_mutex_init(&stage.lock);
    g_cond_init(&stage.changed);
    stage.element = test_sink_new();
    stage.pad = gst_pad_new("sink", GST_PAD_SINK);
    stage.peer = gst_pad_new("src", GST_PAD_SRC);
    gst_pad_set_event_function(stage.peer, on_event);
    gst_pad_set_active(stage.pad, TRUE);
    gst_pad_set_active(stage.peer, TRUE);
    cr_assert_eq(gst_pad_link(stage.peer, stage.pad), GST_PAD_LINK_OK);
    key_request_init(&stage.request, GST_ELEMENT(stage.element), stage.pad);
}

static void close_stage(void)
{
    key_request_close(&stage.request);
    gst_task_cleanup_all(); /* no thread is on its way any more */
    key_request_deinit(&stage.request);
    gst_object_unref(stage.peer);
    gst_object_unref(stage.pad);
    gst_object_unref(stage.element);
}

TestSuite(key_request, .init = open_stage, .fini = close_stage);

static void wait_events(unsigned events)
{
    gint64 until_us = g_get_monotonic_time() + WAIT_S * G_TIME_SPAN_SECOND;
    gboolean in_time = TRUE;

    g_mutex_lock(&stage.lock);
    while (stage.events < events && in_time) {
        in_time = g_cond_wait_until(&stage.changed, &stage.lock, until_us);
    }
    cr_assert_eq(stage.events, events);
    g_mutex_unlock(&stage.lock);
}

Test(key_request, goes_upstream_at_once_on_another_thread)
{
    key_request_open(&stage.request);
    key_request_make(&stage.request);
    wait_events(1);
    cr_assert_neq(stage.thread, g_thread_self());
    cr_assert_eq(key_request_count(&stage.request), 1);
}

Test(key_request, those_that_come_too_early_become_one_in_its_time)
{
    key_request_open(&stage.request);
    key_request_make(&stage.request);
    wait_events(1);
    uint64_t first_ms = stage.last_ms;

    for (unsigned i = 0; i < 5; i++) {
        key_request_make(&stage.request);
    }
    wait_events(2);
    cr_assert_geq(stage.last_ms - first_ms, KEY_REQUEST_INTERVAL_MS - 20);
    cr_assert_eq(key_request_count(&stage.request), 2);
    cr_assert_not(stage.request.pending);
}

Test(key_request, is_not_made_while_closed)
{
    key_request_make(&stage.request);
    cr_assert_not(stage.request.pending, "it was never opened");
    key_request_open(&stage.request);
    key_request_make(&stage.request);
    wait_events(1);
    key_request_make(&stage.request);
    cr_assert_not_null(stage.request.wait);
    key_request_close(&stage.request);
    cr_assert_null(stage.request.wait);
    key_request_open(&stage.request);
    cr_assert_eq(key_request_count(&stage.request), 0);
    key_request_make(&stage.request); /* at once: what waited before is gone */
    wait_events(2);
    cr_assert_eq(key_request_count(&stage.request), 1);
}

Test(key_request, keeps_its_element_until_its_time)
{
    key_request_open(&stage.request);
    key_request_make(&stage.request);
    wait_events(1);
    gst_task_cleanup_all(); /* that thread has its own reference */
    cr_assert_eq(GST_OBJECT_REFCOUNT_VALUE(stage.element), 1);
    key_request_make(&stage.request);
    cr_assert_eq(GST_OBJECT_REFCOUNT_VALUE(stage.element), 2);
}
