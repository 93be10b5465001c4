/* Goal: the connection of an element shows its state as properties and on the bus, ends as it was
 * told, and keeps its figures. Method: an element of the test's with a link, and a relay of the
 * test's. */
#include "host-gst/link/link.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <glib/gstdio.h>
#include <string.h>

#include "tests/unit/client/relay_peer.h"
#include "tests/unit/host-gst/element.h"

enum { PATIENCE_S = 20 };

static TestElement *element;
static GstBus *bus;
static struct relay_peer peer;
static struct link own_link;
static struct link_specs *specs;
static gint state_notices, status_notices;

static void on_notify(GObject *object, GParamSpec *spec, gpointer data)
{
    g_atomic_int_inc((gint *)data);
}

static void begin(TestElement *made, bool receives)
{
    char location[64];

    element = made;
    bus = gst_bus_new();
    gst_element_set_bus(GST_ELEMENT(element), bus);
    relay_peer_open(&peer);
    g_object_set(element, "location", relay_peer_location(&peer, "http", location), "token",
                 "eyJ.a.b", "reconnect-delay", 1, NULL);
    specs = &((TestElementClass *)(void *)G_OBJECT_GET_CLASS(element))->specs;
    link_init(&own_link, GST_ELEMENT(element), specs, receives);
    element->link = &own_link;
    g_signal_connect(element, "notify::connection-state", G_CALLBACK(on_notify), &state_notices);
    g_signal_connect(element, "notify::status", G_CALLBACK(on_notify), &status_notices);
}

static void start(void)
{
    gst_init(NULL, NULL);
    begin(test_sink_new(), false);
}

static void stop(void)
{
    link_close(&own_link);
    link_deinit(&own_link);
    relay_peer_close(&peer);
    gst_element_set_bus(GST_ELEMENT(element), NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
}

TestSuite(link, .init = start, .fini = stop);

static bool open_link(char error[RELAY_CLIENT_ERROR_SIZE])
{
    struct relay_client_options options;

    link_settings_to_options(&element->settings.link, "test", &options);
    return link_open(&own_link, &element->settings.link, &options, error);
}

static void open_connected(void)
{
    char error[RELAY_CLIENT_ERROR_SIZE];

    cr_assert(open_link(error), "%s", error);
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, NULL);
}

static GstMessage *wait_message(GstMessageType type)
{
    GstMessage *message = gst_bus_timed_pop_filtered(bus, PATIENCE_S * GST_SECOND, type);

    cr_assert_not_null(message, "no %s", gst_message_type_get_name(type));
    return message;
}

/* The message that an element posts when it enters this state. */
static void wait_state(const char *state)
{
    bool found = false;

    while (!found) {
        GstMessage *message = wait_message(GST_MESSAGE_ELEMENT);

        found = g_strcmp0(gst_structure_get_string(gst_message_get_structure(message), "state"),
                          state) == 0;
        gst_message_unref(message);
    }
}

static gint property(const char *name)
{
    gint value = -1;

    g_object_get(element, name, &value, NULL);
    return value;
}

Test(link, refuses_settings_at_fault)
{
    char error[RELAY_CLIENT_ERROR_SIZE];

    g_object_set(element, "location", "", NULL);
    cr_assert_not(open_link(error));
    cr_expect_not_null(strstr(error, "No location set"), "%s", error);
    g_object_set(element, "location", "https://h/session/t", "token", NULL, NULL);
    cr_assert_not(open_link(error));
    cr_expect_not_null(strstr(error, "no token"), "%s", error);
    cr_expect_eq(property("connection-state"), RELAY_CLIENT_IDLE);
}

Test(link, shows_its_state_and_keeps_its_figures)
{
    struct relay_client_statistics statistics;

    open_connected();
    wait_state("connected");
    cr_expect_eq(property("connection-state"), RELAY_CLIENT_CONNECTED);
    cr_expect_eq(property("status"), LINK_STATUS_CONNECTED);
    cr_expect_eq(g_atomic_int_get(&status_notices), 1);
    cr_expect_geq(g_atomic_int_get(&state_notices), 3, "accessing, connecting, connected");
    cr_assert_eq(relay_client_send(own_link.client, RELAY_CLIENT_TEXT, "one", 3, 0), 0);
    cr_assert_eq(relay_client_drain(own_link.client, LOOPBACK_PATIENCE_MS), 0);
    link_close(&own_link);
    link_close(&own_link);
    cr_expect_eq(property("connection-state"), RELAY_CLIENT_IDLE);
    cr_expect_eq(property("status"), LINK_STATUS_DISCONNECTED);
    link_statistics(&own_link, &statistics);
    cr_expect_eq(statistics.messages_sent, 1);
    cr_expect_eq(statistics.connects, 1);
}

static gint keyframe_wanted;

static void on_keyframe_wanted(GstElement *wanting)
{
    g_atomic_int_set(&keyframe_wanted, wanting == own_link.element);
}

Test(link, wants_a_keyframe_when_it_connects)
{
    gint64 deadline_us = g_get_monotonic_time() + PATIENCE_S * G_TIME_SPAN_SECOND;

    own_link.on_keyframe_wanted = on_keyframe_wanted;
    open_connected();
    while (!g_atomic_int_get(&keyframe_wanted)) {
        cr_assert_lt(g_get_monotonic_time(), deadline_us);
        g_usleep(200);
    }
}

Test(link, tells_a_fault_and_that_it_gave_up)
{
    char error[RELAY_CLIENT_ERROR_SIZE];

    g_object_set(element, "auto-reconnect", FALSE, NULL);
    cr_assert(open_link(error), "%s", error);
    relay_peer_answer(&peer, "401 Unauthorized", "{\"code\":401,\"message\":\"no\"}");
    GstMessage *message = wait_message(GST_MESSAGE_ERROR);
    GError *fault;

    gst_message_parse_error(message, &fault, NULL);
    cr_expect(g_error_matches(fault, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED));
    g_error_free(fault);
    gst_message_unref(message);
    while (g_atomic_int_get(&own_link.end) == LINK_END_NONE) {
        g_usleep(200);
    }
    cr_expect_eq(g_atomic_int_get(&own_link.end), LINK_END_FAILED);
    cr_expect_eq(property("status"), LINK_STATUS_FAILED);
}

Test(link, of_a_receiver_ends_cleanly_with_a_normal_close)
{
    stop();
    begin(test_src_new(), true);
    g_object_set(element, "auto-reconnect", FALSE, NULL);
    open_connected();
    relay_peer_send_close(&peer, WS_CLOSE_NORMAL);
    wait_state("failed");
    while (g_atomic_int_get(&own_link.end) == LINK_END_NONE) {
        g_usleep(200);
    }
    cr_expect_eq(g_atomic_int_get(&own_link.end), LINK_END_CLEAN);
    cr_expect_null(gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR));
}

Test(link, takes_a_new_token_and_tells_of_one_that_is_none)
{
    struct link_settings settings = element->settings.link;
    GstMessage *message;

    cr_expect_eq(link_apply(&own_link, &settings, LINK_PROPERTY_TOKEN), 0, "it has no client yet");
    open_connected();
    cr_expect_eq(link_apply(&own_link, &settings, LINK_PROPERTY_TOKEN), 0);
    cr_expect_eq(link_apply(&own_link, &settings, LINK_PROPERTY_TOKEN_FILE), 0);
    cr_expect_eq(link_apply(&own_link, &settings, LINK_PROPERTY_RECONNECT_DELAY), 0);
    char bad[] = "a\r\nb";

    settings.token = bad;
    int result = link_apply(&own_link, &settings, LINK_PROPERTY_TOKEN);

    cr_expect_neq(result, 0);
    link_tell_token(&own_link, 0);
    cr_expect_null(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING));
    link_tell_token(&own_link, result);
    message = wait_message(GST_MESSAGE_WARNING);
    gst_message_unref(message);
}

Test(link, tells_when_others_can_read_the_token_file)
{
    char path[] = "/tmp/link_test_XXXXXX";
    int fd = g_mkstemp(path);

    cr_assert_geq(fd, 0);
    close(fd);
    link_check_token_file(&own_link, NULL);
    link_check_token_file(&own_link, "/nonexistent/token");
    cr_assert_eq(g_chmod(path, 0600), 0);
    link_check_token_file(&own_link, path);
    cr_expect_null(gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING));
    cr_assert_eq(g_chmod(path, 0640), 0);
    link_check_token_file(&own_link, path);
    gst_message_unref(wait_message(GST_MESSAGE_WARNING));
    g_unlink(path);
}

Test(link, cancels_the_waits_of_its_client)
{
    struct relay_client_message *message;

    stop();
    begin(test_src_new(), true);
    struct relay_client_options options;
    char error[RELAY_CLIENT_ERROR_SIZE];

    link_cancel_waits(&own_link, true); /* harmless without a client */
    src_settings_to_options(&element->settings.src, &options);
    cr_assert(link_open(&own_link, &element->settings.link, &options, error), "%s", error);
    link_cancel_waits(&own_link, true);
    cr_expect_eq(relay_client_receive(own_link.client, LOOPBACK_PATIENCE_MS, &message), -ECANCELED);
    link_cancel_waits(&own_link, false);
    cr_expect_eq(relay_client_receive(own_link.client, 1, &message), -ETIMEDOUT);
}

static void wait_viewers(gint wanted)
{
    gint64 deadline_us = g_get_monotonic_time() + PATIENCE_S * G_TIME_SPAN_SECOND;

    while (property("viewers") != wanted) {
        cr_assert_lt(g_get_monotonic_time(), deadline_us, "%d viewers", property("viewers"));
        g_usleep(200);
    }
}

static void send_viewers(uint8_t viewers)
{
    const uint8_t message[] = {0x40, 0, 0, 0, 0, 0, 0, viewers};

    relay_peer_send(&peer, WS_OPCODE_BINARY, message, sizeof message);
}

Test(link, shows_viewers_while_the_relay_tells)
{
    char error[RELAY_CLIENT_ERROR_SIZE];
    gint notices = 0;

    cr_expect_eq(property("viewers"), -1);
    g_signal_connect(element, "notify::viewers", G_CALLBACK(on_notify), &notices);
    cr_assert(open_link(error), "%s", error);
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, "relay.v1");
    cr_expect_not_null(strstr(peer.head, "Sec-WebSocket-Protocol: relay.v1"));
    send_viewers(2);
    wait_viewers(2);
    send_viewers(0);
    wait_viewers(0);
    relay_peer_hang_up(&peer);
    wait_viewers(-1);
    cr_expect_eq(g_atomic_int_get(&notices), 3);
}

Test(link, tells_once_that_viewers_are_not_known)
{
    bool connected = false;

    g_atomic_int_set(&own_link.needs_relay_v1, TRUE);
    open_connected();
    GstMessage *message = wait_message(GST_MESSAGE_WARNING);
    GError *warning;

    gst_message_parse_warning(message, &warning, NULL);
    cr_expect_not_null(strstr(warning->message, "does not speak relay.v1"), "%s", warning->message);
    g_error_free(warning);
    gst_message_unref(message);
    relay_peer_hang_up(&peer);
    gst_message_unref(wait_message(GST_MESSAGE_WARNING)); /* of the lost connection */
    relay_peer_grant(&peer);
    relay_peer_upgrade(&peer, NULL);
    while (!connected) {
        message = wait_message((GstMessageType)(GST_MESSAGE_ELEMENT | GST_MESSAGE_WARNING));
        cr_expect_eq(GST_MESSAGE_TYPE(message), GST_MESSAGE_ELEMENT);
        connected = g_strcmp0(gst_structure_get_string(gst_message_get_structure(message), "state"),
                              "connected") == 0;
        gst_message_unref(message);
    }
}
