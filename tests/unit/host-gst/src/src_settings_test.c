/* Goal: the properties have the defaults of the documentation, and the client's options follow from
 * them. Method: a class of the test's with these properties; values from docs/relaysrc.md. */
#include "host-gst/src/src_settings.h"

#include <criterion/criterion.h>
#include <string.h>

#include "tests/unit/host-gst/element.h"

static TestElement *src;

static void start(void)
{
    gst_init(NULL, NULL);
    src = test_src_new();
}

static void stop(void)
{
    gst_object_unref(src);
}

TestSuite(src_settings, .init = start, .fini = stop);

static struct relay_client_options options(void)
{
    struct relay_client_options made;

    src_settings_to_options(&src->settings.src, &made);
    return made;
}

Test(src_settings, have_their_defaults)
{
    guint64 max_age, max_bytes;
    gint recover;

    g_object_get(src, "max-age", &max_age, "max-queue-bytes", &max_bytes, "recover", &recover,
                 NULL);
    cr_expect_eq(max_age, GST_SECOND);
    cr_expect_eq(max_bytes, 8 << 20);
    cr_expect_eq(recover, SRC_RECOVER_KEYFRAME);
    cr_expect_eq(src->settings.link.retries, -1);
}

Test(src_settings, become_the_options_of_the_client)
{
    static const struct {
        guint64 max_age_ns, age_ms;
    } cases[] = {{0, 0}, {1, 1}, {1000000, 1}, {1000001, 2}, {GST_SECOND, 1000}};

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        g_object_set(src, "max-age", cases[i].max_age_ns, NULL);
        cr_expect_eq(options().receive_age_max_ms, cases[i].age_ms, "case %zu", i);
    }
    g_object_set(src, "max-queue-bytes", (guint64)77, "token-file", "f", "ping-interval", 5u, NULL);
    cr_expect_eq(options().receive_queue_bytes_max, 77);
    cr_expect_str_eq(options().token_file, "f");
    cr_expect_eq(options().ping_interval_ms, 5);
    cr_expect_eq(strncmp(options().user_agent, "relaysrc/", 9), 0);
}

Test(src_settings, know_their_own_properties_only)
{
    GValue value = G_VALUE_INIT;

    g_value_init(&value, G_TYPE_STRING);
    cr_expect_not(
        link_settings_set(&src_settings_table, &src->settings.link, SRC_PROPERTY_CAPS, &value));
    cr_expect_not(
        link_settings_get(&src_settings_table, &src->settings.link, LINK_PROPERTY_TOKEN, &value),
        "a secret");
    g_value_unset(&value);
}
