#include "host-gst/link/stream_kind.h"

enum stream_kind stream_kind_of_caps(const GstCaps *caps)
{
    const GstStructure *structure;
    const char *name;

    if (caps == NULL || gst_caps_is_any(caps) || gst_caps_is_empty(caps)) {
        return STREAM_UNKNOWN;
    }
    structure = gst_caps_get_structure(caps, 0);
    name = gst_structure_get_name(structure);
    if (g_str_equal(name, "video/mpegts")) {
        return STREAM_MPEGTS;
    }
    if (g_str_has_prefix(name, "image/")) {
        return STREAM_IMAGE;
    }
    if (g_str_equal(name, "text/x-raw") || g_str_equal(name, "application/x-json")) {
        return STREAM_TEXT;
    }
    return STREAM_DATA;
}
