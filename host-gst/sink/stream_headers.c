#include "host-gst/sink/stream_headers.h"

#include <string.h>

enum { WITHHELD_MAX = 16 };

void stream_headers_init(struct stream_headers *headers)
{
    headers->begun = false;
    headers->bytes = g_byte_array_new();
    headers->lens = g_array_new(FALSE, FALSE, sizeof(gsize));
    headers->withheld = g_ptr_array_new_with_free_func((GDestroyNotify)gst_buffer_unref);
}

void stream_headers_deinit(struct stream_headers *headers)
{
    g_byte_array_unref(headers->bytes);
    g_array_unref(headers->lens);
    g_ptr_array_unref(headers->withheld);
}

static void headers_forget(struct stream_headers *headers)
{
    g_byte_array_set_size(headers->bytes, 0);
    g_array_set_size(headers->lens, 0);
}

void stream_headers_flush(struct stream_headers *headers)
{
    g_ptr_array_set_size(headers->withheld, 0);
}

void stream_headers_reset(struct stream_headers *headers)
{
    headers_forget(headers);
    headers->begun = false;
    stream_headers_flush(headers);
}

static void header_add(struct stream_headers *headers, const GValue *value)
{
    GstBuffer *buffer =
        value != NULL && GST_VALUE_HOLDS_BUFFER(value) ? gst_value_get_buffer(value) : NULL;
    GstMapInfo map;

    if (buffer != NULL && gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        if (map.size > 0) {
            g_byte_array_append(headers->bytes, map.data, (guint)map.size);
            g_array_append_val(headers->lens, map.size);
        }
        gst_buffer_unmap(buffer, &map);
    }
}

void stream_headers_set_caps(struct stream_headers *headers, const GstCaps *caps)
{
    const GValue *value = NULL;

    headers_forget(headers);
    if (caps != NULL && gst_caps_get_size(caps) > 0) {
        value = gst_structure_get_value(gst_caps_get_structure(caps, 0), "streamheader");
    }
    if (value != NULL && GST_VALUE_HOLDS_ARRAY(value)) {
        for (guint i = 0; i < gst_value_array_get_size(value); i++) {
            header_add(headers, gst_value_array_get_value(value, i));
        }
    } else {
        header_add(headers, value);
    }
}

bool stream_headers_any(const struct stream_headers *headers)
{
    return headers->lens->len > 0;
}

/* Muxers cut their headers differently from the caps, so bytes are compared, not pieces.
 */
static bool is_header(const struct stream_headers *headers, GstBuffer *buffer)
{
    GstMapInfo map;
    bool found;

    if (!GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER) || headers->bytes->len == 0 ||
        !gst_buffer_map(buffer, &map, GST_MAP_READ)) {
        return false;
    }
    found = memmem(headers->bytes->data, headers->bytes->len, map.data, map.size) != NULL;
    gst_buffer_unmap(buffer, &map);
    return found;
}

/* Headers that come before their caps are also flagged DELTA_UNIT, which no keyframe is. */
static bool may_be_header(const struct stream_headers *headers, GstBuffer *buffer)
{
    return !headers->begun && !stream_headers_any(headers) &&
           headers->withheld->len < WITHHELD_MAX &&
           GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_HEADER) &&
           GST_BUFFER_FLAG_IS_SET(buffer, GST_BUFFER_FLAG_DELTA_UNIT);
}

bool stream_headers_take(struct stream_headers *headers, GstBuffer *buffer)
{
    if (may_be_header(headers, buffer)) {
        g_ptr_array_add(headers->withheld, gst_buffer_ref(buffer));
        return true;
    }
    if (is_header(headers, buffer)) {
        return true;
    }
    headers->begun = true;
    return false;
}

GstBuffer *stream_headers_next_withheld(struct stream_headers *headers)
{
    while (headers->withheld->len > 0) {
        GstBuffer *buffer = gst_buffer_ref(g_ptr_array_index(headers->withheld, 0));

        g_ptr_array_remove_index(headers->withheld, 0);
        if (!is_header(headers, buffer)) {
            return buffer;
        }
        gst_buffer_unref(buffer);
    }
    return NULL;
}

GstBufferList *stream_headers_filter(struct stream_headers *headers, GstBufferList *list)
{
    for (guint i = 0; i < gst_buffer_list_length(list);) {
        if (is_header(headers, gst_buffer_list_get(list, i))) {
            list = gst_buffer_list_make_writable(list);
            gst_buffer_list_remove(list, i, 1);
        } else {
            i++;
        }
    }
    return list;
}
