/* Goal: both elements start and stop at once, whatever the network does just then. Method: a fake
 * relay or a port that holds the connection in one phase, then the clock. */
#include <gst/check/gstcheck.h>

#include "tests/host-gst/fake_relay.h"
#include "tests/host-gst/fixture.h"
#include "tests/host-gst/timing.h"

enum { CYCLES = 100 / TIME_SCALE };

static const char *const elements[] = {"relaysink", "relaysrc"};

static GstElement *element_new(const char *name, const char *location)
{
    GstElement *element = gst_object_ref_sink(gst_element_factory_make(name, NULL));

    g_object_set(element, "location", location, "token", "test-token", "reconnect-delay", 60000,
                 "reconnect-delay-max", 60000, NULL);
    return element;
}

/* Cycles through PLAYING and NULL; reached is asked until the wanted phase is there. */
static void cycle(const char *name, const char *what, const char *location,
                  void (*wait_phase)(GstElement *element, struct fake_relay *relay, guint cycle),
                  struct fake_relay *relay)
{
    GstElement *element = element_new(name, location);
    struct timing start = {.count = 0}, stop = {.count = 0};
    char *text;

    for (guint i = 0; i < CYCLES; i++) {
        gint64 begun_us = g_get_monotonic_time();

        fail_unless_equals_int(gst_element_set_state(element, GST_STATE_READY),
                               GST_STATE_CHANGE_SUCCESS);
        timing_add(&start, begun_us);
        fail_unless(gst_element_set_state(element, GST_STATE_PLAYING) != GST_STATE_CHANGE_FAILURE);
        wait_phase(element, relay, i);
        begun_us = g_get_monotonic_time();
        fail_unless_equals_int(gst_element_set_state(element, GST_STATE_NULL),
                               GST_STATE_CHANGE_SUCCESS);
        timing_add(&stop, begun_us);
    }
    text = g_strdup_printf("%s, %s: start", name, what);
    timing_check(&start, 50, TIMING_START_LIMIT_US, text);
    g_free(text);
    text = g_strdup_printf("%s, %s: stop", name, what);
    timing_check(&stop, 95, TIMING_NULL_LIMIT_US, text);
    g_free(text);
    gst_object_unref(element);
}

/* Whatever the resolver does, NULL comes while it is at it. */
static void wait_nothing(GstElement *element, struct fake_relay *relay, guint i)
{
}

static void wait_accessing(GstElement *element, struct fake_relay *relay, guint i)
{
    fixture_wait_property(element, "accessing");
}

static void wait_waiting(GstElement *element, struct fake_relay *relay, guint i)
{
    fixture_wait_property(element, "waiting");
}

static void wait_request(GstElement *element, struct fake_relay *relay, guint i)
{
    fake_relay_wait_requests(relay, i + 1);
}

static void wait_opened(GstElement *element, struct fake_relay *relay, guint i)
{
    fake_relay_wait_connections(relay, i + 1);
}

static void wait_connected(GstElement *element, struct fake_relay *relay, guint i)
{
    fixture_wait_property(element, "connected");
}

/* A name that needs a resolver, which may answer at once or never. */
GST_START_TEST(null_is_quick_while_resolving)
{
    cycle(elements[__i__], "resolving", "https://relay.invalid/session/test", wait_nothing, NULL);
}
GST_END_TEST;

GST_START_TEST(null_is_quick_while_connecting)
{
    guint16 port;
    struct fake_blackhole *blackhole = fake_blackhole_start(&port);
    char *location = g_strdup_printf("http://127.0.0.1:%u/session/test", port);

    cycle(elements[__i__], "connecting", location, wait_accessing, NULL);
    g_free(location);
    fake_blackhole_stop(blackhole);
}
GST_END_TEST;

GST_START_TEST(null_is_quick_while_waiting_for_the_next_try)
{
    char *location = g_strdup_printf("http://127.0.0.1:%u/session/test", fake_closed_port());

    cycle(elements[__i__], "back-off", location, wait_waiting, NULL);
    g_free(location);
}
GST_END_TEST;

static const struct {
    const char *name;
    enum fake_behaviour behaviour;
    bool secure;
    void (*wait_phase)(GstElement *element, struct fake_relay *relay, guint cycle);
} phases[] = {
    {"TLS handshake", FAKE_SILENT_ACCESS, true, wait_accessing},
    {"access request", FAKE_SILENT_ACCESS, false, wait_request},
    {"WebSocket handshake", FAKE_SILENT_UPGRADE, false, wait_opened},
    {"connected", FAKE_SERVE, false, wait_connected},
    {"refused", FAKE_REFUSE, false, wait_waiting},
};

GST_START_TEST(null_is_quick_in_each_phase_of_the_relay)
{
    struct fake_relay *relay = fake_relay_start();
    char *location = fake_relay_location(relay, phases[__i__ / 2].secure);

    fake_relay_set_behaviour(relay, phases[__i__ / 2].behaviour);
    cycle(elements[__i__ % 2], phases[__i__ / 2].name, location, phases[__i__ / 2].wait_phase,
          relay);
    g_free(location);
    fake_relay_stop(relay);
}
GST_END_TEST;

static Suite *phases_suite(void)
{
    Suite *suite = suite_create("phases");
    TCase *tests = tcase_create("phases");

    suite_add_tcase(suite, tests);
    tcase_add_loop_test(tests, null_is_quick_while_resolving, 0, 2);
    tcase_add_loop_test(tests, null_is_quick_while_connecting, 0, 2);
    tcase_add_loop_test(tests, null_is_quick_while_waiting_for_the_next_try, 0, 2);
    tcase_add_loop_test(tests, null_is_quick_in_each_phase_of_the_relay, 0,
                        2 * G_N_ELEMENTS(phases));
    return suite;
}

GST_CHECK_MAIN(phases);
