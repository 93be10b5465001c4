/* Goal: a location that would show a password is not kept, faults of the location are told in one
 * line, and each element names itself to servers. Method: the properties of a class of the test's.
 */
#include "host-gst/link/link_settings.h"

#include <criterion/criterion.h>

#include "tests/unit/host-gst/element.h"

static TestElement *sink;
static struct link_settings *settings;

static void start(void)
{
    gst_init(NULL, NULL);
    sink = test_sink_new();
    settings = &sink->settings.link;
}

static void stop(void)
{
    gst_object_unref(sink);
}

TestSuite(link_settings, .init = start, .fini = stop);

static void expect_fault(const char *location, const char *part)
{
    const char *fault;

    g_object_set(sink, "location", location, NULL);
    fault = link_settings_fault(settings);
    if (part == NULL) {
        cr_expect_null(fault, "%s: %s", location, fault);
    } else {
        cr_expect(fault != NULL && strstr(fault, part) != NULL, "%s: %s", location, fault);
    }
}

Test(link_settings, tell_faults_of_the_location)
{
    expect_fault(NULL, "No location set");
    expect_fault("", "No location set");
    expect_fault("ftp://h/session/t", "must begin with https://");
    expect_fault("wss://h/session/t", "must begin with https://");
    expect_fault("https://user:password@h/session/t", "must not contain a user or password");
    expect_fault("https://h/session/t", NULL);
    expect_fault("http://h/session/t", NULL);
}

Test(link_settings, do_not_keep_a_password)
{
    g_object_set(sink, "location", "https://h/session/t", NULL);
    g_object_set(sink, "location", "https://user:password@h/session/t", NULL);
    cr_expect_null(settings->location);
    g_object_set(sink, "location", "https://h/session/u", NULL);
    cr_expect_str_eq(settings->location, "https://h/session/u");
    cr_expect_not(settings->location_refused);
}

Test(link_settings, name_the_element_to_servers)
{
    struct relay_client_options options;

    link_settings_to_options(settings, "element/1", &options);
    cr_expect_str_eq(options.user_agent, "element/1");
}

Test(link_settings, know_their_own_properties_only)
{
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_STRING);
    cr_expect_not(link_settings_set(&sink_settings_table, settings, LINK_PROPERTY_STATS, &value));
    cr_expect_not(link_settings_get(&sink_settings_table, settings, LINK_PROPERTY_STATS, &value));
    g_value_unset(&value);
}
