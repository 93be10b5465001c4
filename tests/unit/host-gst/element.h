/* An element that is nothing but a test's: its properties are the settings of the sink, or of the
 * source, and so is its handler of URIs. */
#pragma once

#include <gst/gst.h>

#include "base/attributes.h"
#include "host-gst/link/link.h"
#include "host-gst/link/link_uri.h"
#include "host-gst/sink/sink_settings.h"
#include "host-gst/src/src_settings.h"

typedef struct {
    GstElement parent;
    union {
        struct link_settings link; /* the others begin with these */
        struct sink_settings sink;
        struct src_settings src;
    } settings;
    struct link *link; /* a test's, which shows its state; NULL: none */
} TestElement;

typedef struct {
    GstElementClass parent;
    const struct setting_table *table;
    struct link_specs specs;
} TestElementClass;

static GObjectClass *test_element_parent_class;

static const struct setting_table *test_element_table(GObject *object)
{
    return ((TestElementClass *)(void *)G_OBJECT_GET_CLASS(object))->table;
}

static struct link_settings *test_element_settings(GObject *object)
{
    return &((TestElement *)(void *)object)->settings.link;
}

static void test_element_set(GObject *object, guint property, const GValue *value, GParamSpec *spec)
{
    if (!link_settings_set(test_element_table(object), test_element_settings(object), property,
                           value)) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
}

static void test_element_get(GObject *object, guint property, GValue *value, GParamSpec *spec)
{
    struct link *link = ((TestElement *)(void *)object)->link;

    if (link != NULL && link_get(link, property, value)) {
        return;
    }
    if (!link_settings_get(test_element_table(object), test_element_settings(object), property,
                           value)) {
        G_OBJECT_WARN_INVALID_PROPERTY_ID(object, property, spec);
    }
}

static void test_element_finalize(GObject *object)
{
    link_settings_deinit(test_element_table(object), test_element_settings(object));
    test_element_parent_class->finalize(object);
}

static void test_element_class_init(gpointer class, gpointer table)
{
    GObjectClass *object_class = class;

    test_element_parent_class = g_type_class_peek_parent(class);
    ((TestElementClass *)class)->table = table;
    object_class->set_property = test_element_set;
    object_class->get_property = test_element_get;
    object_class->finalize = test_element_finalize;
    link_settings_install(table, object_class);
    link_install(object_class, &((TestElementClass *)class)->specs, table == &src_settings_table);
    gst_element_class_set_static_metadata(class, "Test element", "Network", "Test", "Test");
}

static void test_element_init(GTypeInstance *instance, gpointer class)
{
    link_settings_init(((TestElementClass *)class)->table,
                       test_element_settings((GObject *)(void *)instance));
}

static GType test_element_register(const char *name, const struct setting_table *table,
                                   GInterfaceInitFunc uri_init)
{
    const GTypeInfo info = {
        .class_size = sizeof(TestElementClass),
        .class_init = test_element_class_init,
        .class_data = table,
        .instance_size = sizeof(TestElement),
        .instance_init = test_element_init,
    };
    const GInterfaceInfo handler = {.interface_init = uri_init};
    GType type = g_type_register_static(GST_TYPE_ELEMENT, name, &info, (GTypeFlags)0);

    g_type_add_interface_static(type, GST_TYPE_URI_HANDLER, &handler);
    return type;
}

static TestElement *test_element_new(GType type)
{
    return gst_object_ref_sink(g_object_new(type, NULL));
}

UNUSED static TestElement *test_sink_new(void)
{
    static GType type;

    if (type == 0) {
        type = test_element_register("TestSink", &sink_settings_table, link_uri_sink_init);
    }
    return test_element_new(type);
}

UNUSED static TestElement *test_src_new(void)
{
    static GType type;

    if (type == 0) {
        type = test_element_register("TestSrc", &src_settings_table, link_uri_src_init);
    }
    return test_element_new(type);
}
