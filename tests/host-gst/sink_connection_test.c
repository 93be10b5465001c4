/* Goal: settings are checked and kept as documented, every fault of the connection is told and
 * survived, and no secret leaves the element. Method: a fake relay with faults at command, the bus,
 * and everything GStreamer would log or draw. */
#include <errno.h>
#include <glib/gstdio.h>
#include <gst/check/gstcheck.h>
#include <string.h>

#include "tests/host-gst/fixture.h"

/* --- settings --- */

static GstElement *sink_new(void)
{
    return gst_object_ref_sink(gst_element_factory_make("relaysink", NULL));
}

GST_START_TEST(properties_keep_what_is_set)
{
    GstElement *sink = sink_new();
    char *text = NULL;
    gint retries = 0;
    guint delay_ms = 0;
    guint64 time_ns = 0;
    gboolean verify = TRUE;

    g_object_set(sink, "location", "https://relay.example.org/session/a", "token-file", "/t",
                 "tls-ca-file", "/ca.pem", "retries", 7, "reconnect-delay", 1234, "max-queue-time",
                 (guint64)5, "tls-verify", FALSE, NULL);
    g_object_get(sink, "retries", &retries, "reconnect-delay", &delay_ms, "max-queue-time",
                 &time_ns, "tls-verify", &verify, NULL);
    fail_unless_equals_int(retries, 7);
    fail_unless_equals_int(delay_ms, 1234);
    fail_unless_equals_uint64(time_ns, 5);
    fail_unless(!verify);
    g_object_get(sink, "location", &text, NULL);
    fail_unless_equals_string(text, "https://relay.example.org/session/a");
    g_free(text);
    g_object_get(sink, "token-file", &text, NULL);
    fail_unless_equals_string(text, "/t");
    g_free(text);
    gst_object_unref(sink);
}
GST_END_TEST;

GST_START_TEST(defaults_suit_a_live_source)
{
    GstElement *sink = sink_new();
    gboolean sync = TRUE, async = TRUE, last_sample = TRUE, qos = TRUE, waits = TRUE;
    guint64 deadline_ns = 1;

    g_object_get(sink, "sync", &sync, "async", &async, "enable-last-sample", &last_sample, "qos",
                 &qos, "processing-deadline", &deadline_ns, "wait-for-connection", &waits, NULL);
    fail_if(sync || async || last_sample || qos || waits);
    fail_unless_equals_uint64(deadline_ns, 0);
    gst_object_unref(sink);
}
GST_END_TEST;

GST_START_TEST(the_token_can_be_written_only)
{
    GstElement *sink = sink_new();
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(sink), "token");

    fail_unless(spec->flags & G_PARAM_WRITABLE);
    fail_if(spec->flags & G_PARAM_READABLE);
    gst_object_unref(sink);
}
GST_END_TEST;

static const struct {
    const char *location;
    const char *token;
    const char *part; /* of the message */
} bad_settings[] = {
    {NULL, "t", "No location set"},
    {"", "t", "No location set"},
    {"https://user:secret@relay.example.org/session/a", "t", "user or password"},
    {"http://user@127.0.0.1/session/a", "t", "user or password"},
    {"ftp://relay.example.org/session/a", "t", "https://"},
    {"wss://relay.example.org/session/a?code=1", "t", "https://"},
    {"https://", "t", "location"},
    {"http://relay.example.org/session/a", "t", "https"},
    {"https://relay.example.org/session/a", NULL, "token"},
};

GST_START_TEST(bad_settings_are_an_error_before_anything_runs)
{
    GstElement *sink = sink_new();
    GstBus *bus = gst_bus_new();
    GstMessage *message;
    GError *error = NULL;
    char *location = NULL;

    gst_element_set_bus(sink, bus);
    g_object_set(sink, "location", bad_settings[__i__].location, "token", bad_settings[__i__].token,
                 NULL);
    fail_unless_equals_int(gst_element_set_state(sink, GST_STATE_READY), GST_STATE_CHANGE_FAILURE);
    message = gst_bus_pop_filtered(bus, GST_MESSAGE_ERROR);
    fail_unless(message != NULL);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
    fail_unless(strstr(error->message, bad_settings[__i__].part) != NULL, "%s", error->message);
    fail_unless(strstr(error->message, "secret") == NULL, "%s", error->message);
    g_object_get(sink, "location", &location, NULL);
    fail_unless(location == NULL || strchr(location, '@') == NULL);
    g_free(location);
    g_error_free(error);
    gst_message_unref(message);
    gst_element_set_state(sink, GST_STATE_NULL);
    gst_element_set_bus(sink, NULL);
    gst_object_unref(bus);
    gst_object_unref(sink);
}
GST_END_TEST;

GST_START_TEST(the_uri_is_relay_https_and_nothing_that_others_own)
{
    GstElement *sink =
        gst_element_make_from_uri(GST_URI_SINK, "relay+https://h.example/session/a", NULL, NULL);
    const gchar *const *protocols;
    GError *error = NULL;
    char *text = NULL;

    fail_unless(sink != NULL);
    gst_object_ref_sink(sink);
    g_object_get(sink, "location", &text, NULL);
    fail_unless_equals_string(text, "https://h.example/session/a");
    g_free(text);
    text = gst_uri_handler_get_uri(GST_URI_HANDLER(sink));
    fail_unless_equals_string(text, "relay+https://h.example/session/a");
    g_free(text);
    protocols = gst_uri_handler_get_protocols(GST_URI_HANDLER(sink));
    for (guint i = 0; protocols[i] != NULL; i++) {
        fail_unless(g_str_has_prefix(protocols[i], "relay+"), "%s", protocols[i]);
    }
    fail_if(gst_uri_handler_set_uri(GST_URI_HANDLER(sink), "relay+https://u:p@h.example/session/a",
                                    &error));
    fail_unless(g_error_matches(error, GST_URI_ERROR, GST_URI_ERROR_BAD_URI));
    g_clear_error(&error);

    g_object_set(sink, "token", "t", "location", "http://127.0.0.1:9/session/a", NULL);
    gst_element_set_state(sink, GST_STATE_PLAYING);
    fail_if(gst_uri_handler_set_uri(GST_URI_HANDLER(sink), "relay+https://h.example/session/b",
                                    &error));
    fail_unless(g_error_matches(error, GST_URI_ERROR, GST_URI_ERROR_BAD_STATE));
    g_clear_error(&error);
    gst_element_set_state(sink, GST_STATE_NULL);
    gst_object_unref(sink);
}
GST_END_TEST;

/* --- faults --- */

/* The text of the next warning, which has this error; the caller's to free. */
static char *warning_text(struct fixture *fixture, GQuark domain, int code)
{
    GstMessage *message = fixture_wait_message(fixture, GST_MESSAGE_WARNING);
    GError *error = NULL;
    char *text;

    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, domain, code), "%d: %s", error->code, error->message);
    text = g_strdup(error->message);
    g_error_free(error);
    gst_message_unref(message);
    return text;
}

static void expect_warning(struct fixture *fixture, GQuark domain, int code, const char *part)
{
    char *text = warning_text(fixture, domain, code);

    fail_unless(strstr(text, part) != NULL, "%s", text);
    fail_unless(strstr(text, "next try in") != NULL, "%s", text);
    g_free(text);
}

GST_START_TEST(a_refusal_is_told_once_and_then_the_connection)
{
    struct fixture fixture;
    GstMessage *message;

    fixture_init(&fixture);
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play(&fixture, "image/jpeg");
    expect_warning(&fixture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED, "401");
    fake_relay_wait_requests(fixture.relay, 5);
    fixture_expect_none(&fixture, GST_MESSAGE_WARNING);
    fixture_expect_none(&fixture, GST_MESSAGE_INFO);
    fake_relay_set_behaviour(fixture.relay, FAKE_SERVE);
    message = fixture_wait_message(&fixture, GST_MESSAGE_INFO);
    gst_message_unref(message);
    gst_harness_push(fixture.harness, fixture_buffer("after", 5));
    fixture_expect_message(&fixture, 0, "after", 5);
    fail_unless(fixture_count(&fixture, "connect-failures") >= 5);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_connection_that_proves_nothing_is_warned_of)
{
    struct fixture fixture;
    char *text;

    fixture_init(&fixture);
    g_object_set(fixture.element, "tls-verify", FALSE, NULL);
    fixture_play(&fixture, "image/jpeg");
    text = warning_text(&fixture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS);
    fail_unless(strstr(text, "tls-verify") != NULL, "%s", text);
    g_free(text);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(a_closed_port_is_a_warning_and_buffers_keep_flowing)
{
    struct fixture fixture;
    char *location = g_strdup_printf("http://127.0.0.1:%u/session/test", fake_closed_port());

    fixture_init(&fixture);
    g_object_set(fixture.element, "location", location, NULL);
    fixture_play(&fixture, "image/jpeg");
    expect_warning(&fixture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_WRITE, "127.0.0.1");
    for (guint i = 0; i < 50; i++) {
        fail_unless_equals_int(gst_harness_push(fixture.harness, fixture_buffer("lost", 4)),
                               GST_FLOW_OK);
    }
    fail_unless_equals_uint64(fixture_count(&fixture, "drops-disconnected"), 50);
    fixture_expect_none(&fixture, GST_MESSAGE_ERROR);
    g_free(location);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const struct {
    guint16 code;
    const char *part;
} closings[] = {{1000, "1000"}, {1001, "1001"}, {1008, "1008"}, {4401, "4401"}, {0, ""}};

GST_START_TEST(however_the_connection_ends_there_is_another)
{
    struct fixture fixture;

    fixture_init(&fixture);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    fake_relay_wait_connections(fixture.relay, 1);
    fake_relay_close_sockets(fixture.relay, closings[__i__].code);
    expect_warning(&fixture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, closings[__i__].part);
    fixture_wait_state(&fixture, "connected");
    gst_harness_push(fixture.harness, fixture_buffer("again", 5));
    fixture_expect_message(&fixture, 0, "again", 5);
    fail_unless_equals_uint64(fixture_count(&fixture, "connects"), 2);
    fixture_deinit(&fixture);
}
GST_END_TEST;

static const struct {
    gboolean auto_reconnect;
    gint retries;
    guint requests; /* before it gives up */
} limits[] = {{FALSE, -1, 1}, {TRUE, 0, 1}, {TRUE, 2, 3}};

GST_START_TEST(gives_up_when_told_so)
{
    struct fixture fixture;
    GstMessage *message;
    GError *error = NULL;
    char *token;
    gint64 deadline_us = g_get_monotonic_time() + FIXTURE_WAIT_S * G_TIME_SPAN_SECOND;

    fixture_init(&fixture);
    g_object_set(fixture.element, "auto-reconnect", limits[__i__].auto_reconnect, "retries",
                 limits[__i__].retries, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fixture_play(&fixture, "image/jpeg");
    message = fixture_wait_message(&fixture, GST_MESSAGE_ERROR);
    gst_message_parse_error(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_AUTHORIZED));
    g_error_free(error);
    gst_message_unref(message);
    while (gst_harness_push(fixture.harness, fixture_buffer("data", 4)) != GST_FLOW_ERROR) {
        fail_unless(g_get_monotonic_time() < deadline_us);
    }
    fake_relay_wait_requests(fixture.relay, limits[__i__].requests);
    fail_unless_equals_uint64(fixture_count(&fixture, "connect-failures"), limits[__i__].requests);
    token = fake_relay_token(fixture.relay, 0);
    fail_unless_equals_string(token, "test-token");
    g_free(token);
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(how_it_connects_again_may_change_while_playing)
{
    struct fixture fixture;

    fixture_init(&fixture);
    g_object_set(fixture.element, "reconnect-delay", 60000, "reconnect-delay-max", 60000, NULL);
    fake_relay_set_behaviour(fixture.relay, FAKE_NEVER_READ);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    g_object_set(fixture.element, "reconnect-delay", 10, "reconnect-delay-max", 20, NULL);
    for (guint i = 0; i < 5; i++) {
        fake_relay_close_sockets(fixture.relay, 1001);
        fixture_wait_state(&fixture, "connected");
    }
    g_object_set(fixture.element, "auto-reconnect", FALSE, NULL);
    fake_relay_close_sockets(fixture.relay, 1001);
    gst_message_unref(fixture_wait_message(&fixture, GST_MESSAGE_ERROR));
    fixture_deinit(&fixture);
}
GST_END_TEST;

GST_START_TEST(states_come_as_element_messages_and_as_a_property)
{
    static const char *const states[] = {"accessing", "connecting", "connected"};
    struct fixture fixture;
    const char *previous = "idle";

    fixture_init(&fixture);
    fixture_play(&fixture, "image/jpeg");
    for (guint i = 0; i < G_N_ELEMENTS(states); i++) {
        GstMessage *message = fixture_wait_message(&fixture, GST_MESSAGE_ELEMENT);
        const GstStructure *structure = gst_message_get_structure(message);

        fail_unless(gst_structure_has_name(structure, "relay-connection-state"));
        fail_unless_equals_string(gst_structure_get_string(structure, "state"), states[i]);
        fail_unless_equals_string(gst_structure_get_string(structure, "previous-state"), previous);
        fail_unless(gst_structure_has_field_typed(structure, "attempt", G_TYPE_UINT64));
        fail_unless(gst_structure_has_field_typed(structure, "retry-in", G_TYPE_UINT64));
        previous = states[i];
        gst_message_unref(message);
    }
    fixture_deinit(&fixture);
}
GST_END_TEST;

static void on_notify_status(GObject *sink, GParamSpec *spec, gpointer heard)
{
    gint status;

    g_object_get(sink, "status", &status, NULL);
    g_async_queue_push(heard, GINT_TO_POINTER(status + 1)); /* NULL cannot be queued */
}

static void expect_status(GAsyncQueue *heard, gint status)
{
    gpointer got = g_async_queue_timeout_pop(heard, FIXTURE_WAIT_S * G_TIME_SPAN_SECOND);

    fail_unless_equals_int(GPOINTER_TO_INT(got) - 1, status);
}

GST_START_TEST(the_status_is_notified_when_it_changes_only)
{
    enum { DISCONNECTED, CONNECTED, FAILED };
    GAsyncQueue *heard = g_async_queue_new();
    struct fixture fixture;

    fixture_init(&fixture);
    g_signal_connect(fixture.element, "notify::status", G_CALLBACK(on_notify_status), heard);
    fixture_play(&fixture, "image/jpeg");
    expect_status(heard, CONNECTED);
    fake_relay_close_sockets(fixture.relay, 1001);
    expect_status(heard, DISCONNECTED);
    expect_status(heard, CONNECTED);
    g_object_set(fixture.element, "auto-reconnect", FALSE, NULL);
    fake_relay_close_sockets(fixture.relay, 1001);
    expect_status(heard, FAILED);
    gst_element_set_state(fixture.element, GST_STATE_NULL);
    expect_status(heard, DISCONNECTED);
    fixture_deinit(&fixture);
    g_async_queue_unref(heard);
}
GST_END_TEST;

/* --- tokens --- */

static void write_token(const char *path, const char *token)
{
    fail_unless(g_file_set_contents(path, token, -1, NULL));
    fail_unless(g_chmod(path, 0600) == 0);
}

static void expect_token(struct fixture *fixture, guint index, const char *expected)
{
    char *token;

    fake_relay_wait_requests(fixture->relay, index + 1);
    token = fake_relay_token(fixture->relay, index);
    fail_unless_equals_string(token, expected);
    g_free(token);
}

GST_START_TEST(the_token_file_is_read_for_every_access_request)
{
    struct fixture fixture;
    char *directory = g_dir_make_tmp("relaysink-XXXXXX", NULL);
    char *path = g_build_filename(directory, "token", NULL);

    fixture_init(&fixture);
    g_object_set(fixture.element, "token", NULL, "token-file", path, NULL);
    fixture_play(&fixture, "image/jpeg");
    /* It may come later. */
    expect_warning(&fixture, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, path);
    write_token(path, "first-token\n");
    expect_token(&fixture, 0, "first-token");
    fake_relay_wait_connections(fixture.relay, 1);
    write_token(path, "second-token\n");
    fake_relay_close_sockets(fixture.relay, 1001);
    expect_token(&fixture, 1, "second-token");
    fake_relay_wait_connections(fixture.relay, 2);
    g_object_set(fixture.element, "token", "third-token", NULL);
    fake_relay_close_sockets(fixture.relay, 1001);
    expect_token(&fixture, 2, "third-token");
    fixture_deinit(&fixture);
    g_unlink(path);
    g_rmdir(directory);
    g_free(path);
    g_free(directory);
}
GST_END_TEST;

GST_START_TEST(a_token_file_that_others_read_is_warned_of)
{
    struct fixture fixture;
    GstMessage *message;
    GError *error = NULL;
    char *path = NULL;
    gint fd = g_file_open_tmp("relaysink-XXXXXX", &path, NULL);

    fail_unless(fd >= 0 && g_close(fd, NULL));
    write_token(path, "first-token");
    fail_unless(g_chmod(path, 0644) == 0);
    fixture_init(&fixture);
    g_object_set(fixture.element, "token-file", path, NULL);
    fixture_play(&fixture, "image/jpeg");
    message = fixture_wait_message(&fixture, GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, NULL);
    fail_unless(g_error_matches(error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS));
    fail_unless(strstr(error->message, path) != NULL);
    g_error_free(error);
    gst_message_unref(message);
    fixture_deinit(&fixture);
    g_unlink(path);
    g_free(path);
}
GST_END_TEST;

struct watch {
    GMutex lock;
    guint lines;
    guint secrets;
};

static bool has_secret(const char *text)
{
    return strstr(text, "s3cret-token") != NULL || strstr(text, "c0de-secret") != NULL;
}

static void watch_log(GstDebugCategory *category, GstDebugLevel level, const gchar *file,
                      const gchar *function, gint line, GObject *object, GstDebugMessage *message,
                      gpointer data)
{
    struct watch *watch = data;
    const char *text = gst_debug_message_get(message);

    g_mutex_lock(&watch->lock);
    watch->lines++;
    watch->secrets += text != NULL && has_secret(text) ? 1 : 0;
    g_mutex_unlock(&watch->lock);
}

static void check_bus_for_secrets(struct fixture *fixture)
{
    GstMessage *message;

    while ((message = gst_bus_pop(fixture->bus)) != NULL) {
        const GstStructure *structure = gst_message_get_structure(message);
        char *text = structure != NULL ? gst_structure_to_string(structure) : g_strdup("");

        fail_if(has_secret(text), "%s", text);
        g_free(text);
        gst_message_unref(message);
    }
}

GST_START_TEST(secrets_are_in_no_log_graph_statistic_or_message)
{
    struct watch watch = {.lines = 0};
    struct fixture fixture;
    GstStructure *statistics = NULL;
    GstElement *bin;
    char *text;

    g_mutex_init(&watch.lock);
    gst_debug_set_default_threshold(GST_LEVEL_MEMDUMP);
    gst_debug_remove_log_function(gst_debug_log_default);
    gst_debug_add_log_function(watch_log, &watch, NULL);
    fixture_init(&fixture);
    g_object_set(fixture.element, "token", "s3cret-token", NULL);
    fixture_play(&fixture, "image/jpeg");
    fixture_wait_state(&fixture, "connected");
    gst_harness_push(fixture.harness, fixture_buffer("data", 4));
    fake_relay_close_sockets(fixture.relay, 1008);
    fake_relay_wait_connections(fixture.relay, 2);
    fake_relay_set_behaviour(fixture.relay, FAKE_REFUSE);
    fake_relay_close_sockets(fixture.relay, 0);
    fixture_wait_count(&fixture, "connect-failures", 1);

    g_object_get(fixture.element, "stats", &statistics, NULL);
    text = gst_structure_to_string(statistics);
    fail_if(has_secret(text));
    g_free(text);
    gst_structure_free(statistics);
    check_bus_for_secrets(&fixture);
    fixture_deinit(&fixture);

    bin = gst_object_ref_sink(gst_bin_new(NULL));
    fixture.element = sink_new();
    g_object_set(fixture.element, "token", "s3cret-token", NULL);
    gst_bin_add(GST_BIN(bin), fixture.element);
    text = gst_debug_bin_to_dot_data(GST_BIN(bin), GST_DEBUG_GRAPH_SHOW_VERBOSE);
    fail_if(has_secret(text));
    g_free(text);
    gst_object_unref(fixture.element);
    gst_object_unref(bin);
    gst_debug_remove_log_function(watch_log);
    gst_debug_set_default_threshold(GST_LEVEL_NONE);
    fail_unless(watch.lines > 100, "%u lines: the log was not watched", watch.lines);
    fail_unless_equals_int(watch.secrets, 0);
}
GST_END_TEST;

static Suite *sink_connection_suite(void)
{
    Suite *suite = suite_create("sink_connection");
    TCase *tests = tcase_create("connection");

    suite_add_tcase(suite, tests);
    tcase_add_test(tests, properties_keep_what_is_set);
    tcase_add_test(tests, defaults_suit_a_live_source);
    tcase_add_test(tests, the_token_can_be_written_only);
    tcase_add_loop_test(tests, bad_settings_are_an_error_before_anything_runs, 0,
                        G_N_ELEMENTS(bad_settings));
    tcase_add_test(tests, the_uri_is_relay_https_and_nothing_that_others_own);
    tcase_add_test(tests, a_refusal_is_told_once_and_then_the_connection);
    tcase_add_test(tests, a_connection_that_proves_nothing_is_warned_of);
    tcase_add_test(tests, a_closed_port_is_a_warning_and_buffers_keep_flowing);
    tcase_add_loop_test(tests, however_the_connection_ends_there_is_another, 0,
                        G_N_ELEMENTS(closings));
    tcase_add_loop_test(tests, gives_up_when_told_so, 0, G_N_ELEMENTS(limits));
    tcase_add_test(tests, how_it_connects_again_may_change_while_playing);
    tcase_add_test(tests, states_come_as_element_messages_and_as_a_property);
    tcase_add_test(tests, the_status_is_notified_when_it_changes_only);
    tcase_add_test(tests, the_token_file_is_read_for_every_access_request);
    tcase_add_test(tests, a_token_file_that_others_read_is_warned_of);
    tcase_add_test(tests, secrets_are_in_no_log_graph_statistic_or_message);
    return suite;
}

GST_CHECK_MAIN(sink_connection);
