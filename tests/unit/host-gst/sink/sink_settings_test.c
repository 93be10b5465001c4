/* Goal: the properties have the defaults and bounds of the documentation, the token never comes
 * back, and the client's options follow from the settings. Method: a class of the test's with these
 * properties; values from docs/relaysink.md. */
#include "host-gst/sink/sink_settings.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host-gst/element.h"

static TestElement *sink;
static struct sink_settings *settings;

static void start(void)
{
    gst_init(NULL, NULL);
    sink = test_sink_new();
    settings = &sink->settings.sink;
}

static void stop(void)
{
    gst_object_unref(sink);
}

TestSuite(sink_settings, .init = start, .fini = stop);

static GParamSpec *spec_of(const char *name)
{
    GParamSpec *spec = g_object_class_find_property(G_OBJECT_GET_CLASS(sink), name);

    cr_assert_not_null(spec, "%s", name);
    return spec;
}

Test(sink_settings, have_their_defaults)
{
    static const struct {
        const char *name, *value;
    } defaults[] = {
        {"location", NULL},
        {"token-file", NULL},
        {"tls-ca-file", NULL},
        {"tls-verify", "TRUE"},
        {"auto-reconnect", "TRUE"},
        {"retries", "-1"},
        {"reconnect-delay", "500"},
        {"reconnect-delay-max", "30000"},
        {"connect-timeout", "10000"},
        {"stall-timeout", "10000"},
        {"ping-interval", "5000"},
        {"wait-for-connection", "FALSE"},
        {"framing", "GST_RELAY_SINK_FRAMING_AUTO"},
        {"message-type", "auto"},
        {"max-queue-time", "500000000"},
        {"max-queue-bytes", "8388608"},
        {"drop-policy", "keyframe"},
        {"request-keyframe", "TRUE"},
        {"eos-timeout", "1000"},
        {"publish", "always"},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(defaults); i++) {
        GParamSpec *spec = spec_of(defaults[i].name);
        GValue value = G_VALUE_INIT;

        g_value_init(&value, spec->value_type);
        g_object_get_property(G_OBJECT(sink), defaults[i].name, &value);
        cr_expect(g_param_value_defaults(spec, &value), "%s: what is set is what is declared",
                  defaults[i].name);
        if (G_VALUE_HOLDS_ENUM(&value)) {
            cr_expect_eq(g_value_get_enum(&value), 0, "%s", defaults[i].name);
        } else if (defaults[i].value == NULL) {
            cr_expect_null(g_value_get_string(&value), "%s", defaults[i].name);
        } else {
            char *text = g_strdup_value_contents(&value);

            cr_expect_str_eq(text, defaults[i].value, "%s", defaults[i].name);
            g_free(text);
        }
        g_value_unset(&value);
    }
}

Test(sink_settings, keep_what_is_set)
{
    char *location = NULL;
    gboolean verify = TRUE;
    gint retries = 0;
    guint delay = 0;
    guint64 time = 0;

    g_object_set(sink, "location", "https://h/session/t", "tls-verify", FALSE, "retries", 3,
                 "reconnect-delay", 7u, "max-queue-time", (guint64)9, "drop-policy", 2, NULL);
    g_object_get(sink, "location", &location, "tls-verify", &verify, "retries", &retries,
                 "reconnect-delay", &delay, "max-queue-time", &time, NULL);
    cr_expect_str_eq(location, "https://h/session/t");
    cr_expect_not(verify);
    cr_expect_eq(retries, 3);
    cr_expect_eq(delay, 7);
    cr_expect_eq(time, 9);
    cr_expect_eq(settings->drop_policy, SINK_DROP_NEWEST);
    g_free(location);
    g_object_set(sink, "location", NULL, NULL);
    cr_expect_null(settings->link.location);
}

Test(sink_settings, never_give_the_token_back)
{
    GValue value = G_VALUE_INIT;

    g_object_set(sink, "token", "eyJ.a.b", NULL);
    cr_expect_str_eq(settings->link.token, "eyJ.a.b");
    cr_expect_eq(spec_of("token")->flags & G_PARAM_READABLE, 0);
    g_value_init(&value, G_TYPE_STRING);
    cr_expect_not(
        link_settings_get(&sink_settings_table, &settings->link, LINK_PROPERTY_TOKEN, &value));
    cr_expect_null(g_value_get_string(&value));
    g_value_unset(&value);
}

Test(sink_settings, know_their_own_properties_only)
{
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_STRING);
    cr_expect_not(link_settings_set(&sink_settings_table, &settings->link,
                                    SINK_PROPERTY_PUBLISH + 1, &value));
    cr_expect_not(link_settings_get(&sink_settings_table, &settings->link,
                                    SINK_PROPERTY_PUBLISH + 1, &value));
    cr_expect_not(link_settings_set(&sink_settings_table, &settings->link, 0, &value));
    g_value_unset(&value);
}

Test(sink_settings, say_when_they_can_change)
{
    static const struct {
        const char *name;
        GParamFlags flag;
    } cases[] = {
        {"location", GST_PARAM_MUTABLE_READY},      {"tls-verify", GST_PARAM_MUTABLE_READY},
        {"framing", GST_PARAM_MUTABLE_READY},       {"token-file", GST_PARAM_MUTABLE_PLAYING},
        {"retries", GST_PARAM_MUTABLE_PLAYING},     {"drop-policy", GST_PARAM_MUTABLE_PLAYING},
        {"eos-timeout", GST_PARAM_MUTABLE_PLAYING},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_expect_neq(spec_of(cases[i].name)->flags & cases[i].flag, 0, "%s", cases[i].name);
    }
}

static struct relay_client_options options(void)
{
    struct relay_client_options made;

    sink_settings_to_options(settings, &made);
    return made;
}

Test(sink_settings, become_the_options_of_the_client)
{
    g_object_set(sink, "location", "https://h/session/t", "token", "eyJ.a.b", "token-file", "f",
                 "tls-ca-file", "ca.pem", "proxy", "http://u:p@h", "reconnect-delay", 1u,
                 "reconnect-delay-max", 2u, "connect-timeout", 3u, "stall-timeout", 4u,
                 "ping-interval", 5u, NULL);
    struct relay_client_options made = options();

    cr_expect_str_eq(made.location, "https://h/session/t");
    cr_expect_str_eq(made.token, "eyJ.a.b");
    cr_expect_str_eq(made.token_file, "f");
    cr_expect_str_eq(made.ca_file, "ca.pem");
    cr_expect_str_eq(made.proxy, "http://u:p@h");
    cr_expect_not(made.insecure || made.no_reconnect || made.no_pings);
    cr_expect_eq(made.retries_max, 0, "without limit");
    cr_expect_eq(made.reconnect_delay_ms, 1);
    cr_expect_eq(made.reconnect_delay_max_ms, 2);
    cr_expect_eq(made.connect_timeout_ms, 3);
    cr_expect_eq(made.stall_timeout_ms, 4);
    cr_expect_eq(made.ping_interval_ms, 5);
    cr_expect_eq(strncmp(made.user_agent, "relaysink/", 10), 0);
    g_object_set(sink, "tls-verify", FALSE, "ping-interval", 0u, NULL);
    cr_expect(options().insecure && options().no_pings);
    cr_expect_str_eq(options().insecure_name, "tls-verify=false");
}

Test(sink_settings, decide_how_often_to_retry)
{
    static const struct {
        gboolean auto_reconnect;
        gint retries;
        bool no_reconnect;
        int retries_max;
    } cases[] = {
        {TRUE, -1, false, 0}, {TRUE, 0, true, 0}, {TRUE, 5, false, 5}, {FALSE, 5, true, 5}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        g_object_set(sink, "auto-reconnect", cases[i].auto_reconnect, "retries", cases[i].retries,
                     NULL);
        cr_expect_eq(options().no_reconnect, cases[i].no_reconnect, "case %zu", i);
        cr_expect_eq(options().retries_max, cases[i].retries_max, "case %zu", i);
    }
}
