/* Goal: the sink is found and set by its URIs, and no URI with a password is kept. Method: an
 * element of the test's with this handler. */
#include "host-gst/link/link_uri.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host-gst/element.h"

static TestElement *sink;

static void start(void)
{
    gst_init(NULL, NULL);
    sink = test_sink_new();
}

static void stop(void)
{
    gst_object_unref(sink);
}

TestSuite(link_uri, .init = start, .fini = stop);

static void expect_uri(const char *expected)
{
    char *uri = gst_uri_handler_get_uri(GST_URI_HANDLER(sink));

    cr_expect_eq(g_strcmp0(uri, expected), 0, "%s", uri);
    g_free(uri);
}

/* GST_URI_ERROR's code, or -1 when it was set. */
static int set(const char *uri)
{
    GError *error = NULL;
    int code = -1;

    if (!gst_uri_handler_set_uri(GST_URI_HANDLER(sink), uri, &error)) {
        cr_assert_not_null(error);
        cr_expect_eq(error->domain, GST_URI_ERROR);
        code = error->code;
        g_error_free(error);
    }
    return code;
}

/* RFC 3986 §3.2: the authority ends at the first slash, question mark or number sign. */
Test(link_uri, finds_users_and_passwords)
{
    static const struct {
        const char *url;
        bool found;
    } cases[] = {
        {"https://user@host/session/t", true},
        {"https://user:password@host/session/t", true},
        {"relay+https://:p@host", true},
        {"https://@host", true},
        {"https://host/session/a@b", false},
        {"https://host?x=a@b", false},
        {"https://host#a@b", false},
        {"https://host", false},
        {"user@host", false}, /* no URL */
        {"", false},
        {NULL, false},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect_eq(link_uri_has_userinfo(cases[i].url), cases[i].found, "case %zu", i);
    }
}

Test(link_uri, is_the_location_behind_a_prefix)
{
    expect_uri(NULL);
    cr_expect_eq(set("relay+https://host/session/t"), -1);
    cr_expect_str_eq(sink->settings.link.location, "https://host/session/t");
    expect_uri("relay+https://host/session/t");
    cr_expect_eq(set("relay+http://127.0.0.1:3000/session/t"), -1);
    cr_expect_str_eq(sink->settings.link.location, "http://127.0.0.1:3000/session/t");
}

Test(link_uri, leaves_other_protocols_to_other_elements)
{
    const gchar *const *protocols = gst_uri_handler_get_protocols(GST_URI_HANDLER(sink));

    cr_expect_str_eq(protocols[0], "relay+https");
    cr_expect_str_eq(protocols[1], "relay+http");
    cr_expect_null(protocols[2]);
    cr_expect_eq(gst_uri_handler_get_uri_type(GST_URI_HANDLER(sink)), GST_URI_SINK);
    cr_expect_eq(set("https://host/session/t"), GST_URI_ERROR_UNSUPPORTED_PROTOCOL);
}

Test(link_uri, keeps_no_password)
{
    cr_expect_eq(set("relay+https://user:password@host/session/t"), GST_URI_ERROR_BAD_URI);
    cr_expect_null(sink->settings.link.location);
}

Test(link_uri, stays_while_the_sink_runs)
{
    GST_STATE(sink) = GST_STATE_READY;
    cr_expect_eq(set("relay+https://host/session/t"), -1);
    GST_STATE(sink) = GST_STATE_PAUSED;
    cr_expect_eq(set("relay+https://other/session/t"), GST_URI_ERROR_BAD_STATE);
    GST_STATE(sink) = GST_STATE_NULL;
    cr_expect_str_eq(sink->settings.link.location, "https://host/session/t");
}
