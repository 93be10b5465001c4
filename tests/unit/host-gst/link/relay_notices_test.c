/* Goal: what the relay tells reaches the bus under its name, and a token that was not taken is a
 * WARNING with the reason. Method: notices of each kind, posted by an element of the test's. */
#include "host-gst/link/relay_notices.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host-gst/element.h"

static TestElement *element;
static GstBus *bus;

static void start(void)
{
    gst_init(NULL, NULL);
    element = test_sink_new();
    bus = gst_bus_new();
    gst_element_set_bus(GST_ELEMENT(element), bus);
}

static void stop(void)
{
    gst_element_set_bus(GST_ELEMENT(element), NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
}

TestSuite(relay_notices, .init = start, .fini = stop);

/* The message that a notice becomes, as text. */
static char *posted(const struct relay_client_notice *notice)
{
    relay_notices_post(GST_ELEMENT(element), notice);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ELEMENT);

    cr_assert_not_null(message);
    char *text = gst_structure_to_string(gst_message_get_structure(message));

    gst_message_unref(message);
    return text;
}

static void expect_posted(const struct relay_client_notice *notice, const char *expected)
{
    char *text = posted(notice);

    cr_expect_str_eq(text, expected);
    g_free(text);
}

Test(relay_notices, tell_of_a_stream)
{
    const struct relay_client_notice notice = {
        .kind = RELAY_CLIENT_NOTICE_STREAM, .is_live = true, .publishers = 2};

    expect_posted(&notice, "relay-stream, live=(boolean)true, publishers=(uint)2;");
}

Test(relay_notices, tell_of_the_lease)
{
    static const char *const states[] = {"free", "ours", "taken", "refused", "wanted"};

    for (unsigned i = 0; i < ARRAY_LENGTH(states); i++) {
        const struct relay_client_notice notice = {.kind = RELAY_CLIENT_NOTICE_LEASE,
                                                   .lease = (enum relay_client_lease)i,
                                                   .lease_refused = 4,
                                                   .lease_idle_ms = 5};
        char *text = posted(&notice);

        cr_expect_not_null(strstr(text, states[i]), "%s", text);
        cr_expect_not_null(strstr(text, "refused=(uint)4, idle-ms=(uint)5"), "%s", text);
        g_free(text);
    }
}

Test(relay_notices, warn_of_a_token_that_was_not_taken)
{
    static const struct {
        enum relay_client_renewal renewal;
        const char *reason; /* NULL: no WARNING */
    } cases[] = {
        {RELAY_CLIENT_RENEWAL_NONE, NULL},
        {RELAY_CLIENT_RENEWAL_DONE, NULL},
        {RELAY_CLIENT_RENEWAL_TOO_OFTEN, NULL},
        {RELAY_CLIENT_RENEWAL_INVALID, "expired"},
        {RELAY_CLIENT_RENEWAL_OTHER, "another booking"},
        {RELAY_CLIENT_RENEWAL_DENIED, "cancelled"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        const struct relay_client_notice notice = {
            .kind = RELAY_CLIENT_NOTICE_EXPIRY, .renewal = cases[i].renewal, .expires_s = 9};

        g_free(posted(&notice));
        GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_WARNING);

        cr_expect_eq(message != NULL, cases[i].reason != NULL, "case %zu", i);
        if (message != NULL) {
            GError *error;

            gst_message_parse_warning(message, &error, NULL);
            cr_expect_not_null(strstr(error->message, cases[i].reason), "%s", error->message);
            g_error_free(error);
            gst_message_unref(message);
        }
    }
}

Test(relay_notices, leave_viewers_to_the_property)
{
    const struct relay_client_notice notice = {.kind = RELAY_CLIENT_NOTICE_VIEWERS, .viewers = 1};

    relay_notices_post(GST_ELEMENT(element), &notice);
    cr_expect_null(gst_bus_pop(bus));
}
