/* Prints the manual page of an element, relaysink(7) or relaysrc(7), from its properties: the same
 * that gst-inspect-1.0 shows. Runs at the build; not installed. */
#include <gst/gst.h>
#include <stdio.h>
#include <string.h>

#include "base/version.h"
#include "host-gst/gstrelaysink.h"
#include "host-gst/gstrelaysrc.h"

static void print_escaped(const char *text)
{
    for (; *text != '\0'; text++) {
        if (*text == '-' || *text == '\\') {
            putchar('\\');
        }
        putchar(*text == '\\' ? 'e' : *text);
    }
}

static void print_default(GParamSpec *spec)
{
    const GValue *value = g_param_spec_get_default_value(spec);
    gchar *text;

    if (G_VALUE_HOLDS_STRING(value) || (spec->flags & G_PARAM_WRITABLE) == 0) {
        return;
    }
    text = gst_value_serialize(value);
    printf("Default: ");
    print_escaped(text == NULL ? "none" : text);
    printf("\n");
    g_free(text);
}

static void print_choices(GParamSpec *spec)
{
    if (!G_IS_PARAM_SPEC_ENUM(spec)) {
        return;
    }
    const GEnumClass *class = G_PARAM_SPEC_ENUM(spec)->enum_class;

    printf(".RS\n");
    for (guint i = 0; i < class->n_values; i++) {
        printf(".TP\n.B ");
        print_escaped(class->values[i].value_nick);
        printf("\n");
        print_escaped(class->values[i].value_name);
        printf("\n");
    }
    printf(".RE\n");
}

static void print_property(GParamSpec *spec)
{
    printf(".TP\n.B ");
    print_escaped(spec->name);
    printf("%s\n", (spec->flags & G_PARAM_WRITABLE) == 0 ? " \\fR(read only)" : "");
    print_escaped(g_param_spec_get_blurb(spec));
    printf(".\n");
    print_default(spec);
    print_choices(spec);
}

static void print_head(GstElementClass *class, const char *name)
{
    const char *description =
        gst_element_class_get_metadata(class, GST_ELEMENT_METADATA_DESCRIPTION);

    printf(".TH %s 7 \"\" \"relay %s\" \"GStreamer elements\"\n.SH NAME\n%s \\- ", name,
           RELAY_VERSION, name);
    printf("%c", g_ascii_tolower(description[0]));
    print_escaped(description + 1);
    printf("\n.SH SYNOPSIS\n.B gst\\-launch\\-1.0\n");
    printf("%s", strcmp(name, "relaysink") == 0 ? ".I SOURCE\n! " : "");
    printf("%s location=https://HOST/session/TOPIC token\\-file=FILE\n", name);
    printf("%s", strcmp(name, "relaysink") == 0 ? "" : "!\n.I REST\n");
    printf(".SH DESCRIPTION\n");
    print_escaped(description);
    printf(".\n.SH PROPERTIES\n");
}

static void print_manual(GType type, const char *name)
{
    GObjectClass *class = g_type_class_ref(type);
    guint count;
    GParamSpec **specs = g_object_class_list_properties(class, &count);

    print_head(GST_ELEMENT_CLASS(class), name);
    for (guint i = 0; i < count; i++) {
        if (specs[i]->owner_type == type) {
            print_property(specs[i]);
        }
    }
    printf(".SH SEE ALSO\n.BR relay (1),\n.BR gst\\-launch\\-1.0 (1)\n");
    g_free(specs);
    g_type_class_unref(class);
}

int main(int argc, char **argv)
{
    gst_init(NULL, NULL);
    if (argc == 2 && strcmp(argv[1], "relaysink") == 0) {
        print_manual(gst_relay_sink_get_type(), argv[1]);
    } else if (argc == 2 && strcmp(argv[1], "relaysrc") == 0) {
        print_manual(gst_relay_src_get_type(), argv[1]);
    } else {
        fprintf(stderr, "usage: element-manual relaysink|relaysrc\n");
        return 1;
    }
    return 0;
}
