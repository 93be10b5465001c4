/* Goal: the headers that the caps name are taken out of the stream, wherever they come, and nothing
 * else is. Method: caps and buffers made by hand. */
#include "host-gst/sink/stream_headers.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"

static const GstBufferFlags header_flag = GST_BUFFER_FLAG_HEADER;
static struct stream_headers headers;

static void start(void)
{
    gst_init(NULL, NULL);
    stream_headers_init(&headers);
}

static void stop(void)
{
    stream_headers_deinit(&headers);
}

TestSuite(stream_headers, .init = start, .fini = stop);

static GstBuffer *buffer_of(const char *text, guint flags)
{
    GstBuffer *buffer = gst_buffer_new_allocate(NULL, strlen(text), NULL);

    gst_buffer_fill(buffer, 0, text, strlen(text));
    GST_BUFFER_FLAG_SET(buffer, flags);
    return buffer;
}

/* True when the buffer is not to be sent. */
static bool take(const char *text, guint flags)
{
    GstBuffer *buffer = buffer_of(text, flags);
    bool taken = stream_headers_take(&headers, buffer);

    gst_buffer_unref(buffer);
    return taken;
}

static bool take_early(const char *text)
{
    return take(text, header_flag | GST_BUFFER_FLAG_DELTA_UNIT);
}

/* Caps that name up to two headers. */
static void set_caps(const char *first, const char *second)
{
    GstCaps *caps = gst_caps_new_empty_simple("video/x-flv");
    const char *const texts[] = {first, second};
    GValue array = G_VALUE_INIT;

    g_value_init(&array, GST_TYPE_ARRAY);
    for (size_t i = 0; i < ARRAY_LENGTH(texts) && texts[i] != NULL; i++) {
        GValue value = G_VALUE_INIT;

        g_value_init(&value, GST_TYPE_BUFFER);
        gst_value_take_buffer(&value, buffer_of(texts[i], header_flag));
        gst_value_array_append_and_take_value(&array, &value);
    }
    gst_structure_take_value(gst_caps_get_structure(caps, 0), "streamheader", &array);
    stream_headers_set_caps(&headers, caps);
    gst_caps_unref(caps);
}

static void expect_withheld(const char *text)
{
    GstBuffer *buffer = stream_headers_next_withheld(&headers);

    if (text == NULL) {
        cr_expect_null(buffer);
        return;
    }
    cr_assert_not_null(buffer);
    cr_expect_eq(gst_buffer_get_size(buffer), strlen(text));
    cr_expect_eq(gst_buffer_memcmp(buffer, 0, text, strlen(text)), 0, "%s", text);
    gst_buffer_unref(buffer);
}

Test(stream_headers, are_those_of_the_caps)
{
    set_caps("FLV", "metadata");
    cr_expect(stream_headers_any(&headers));
    cr_assert_eq(headers.lens->len, 2);
    cr_expect_eq(g_array_index(headers.lens, gsize, 0), 3);
    cr_expect_eq(g_array_index(headers.lens, gsize, 1), 8);
    set_caps("other", NULL);
    cr_expect_eq(headers.lens->len, 1, "new caps replace them");
    stream_headers_set_caps(&headers, NULL);
    cr_expect_not(stream_headers_any(&headers));
}

/* Theora's and Vorbis' caps of old have a single buffer. */
Test(stream_headers, may_be_one_buffer_instead_of_an_array)
{
    GstCaps *caps = gst_caps_new_empty_simple("application/ogg");
    GstBuffer *buffer = buffer_of("OggS", header_flag);

    gst_caps_set_simple(caps, "streamheader", GST_TYPE_BUFFER, buffer, NULL);
    stream_headers_set_caps(&headers, caps);
    cr_expect_eq(headers.lens->len, 1);
    gst_buffer_unref(buffer);
    gst_caps_unref(caps);
}

Test(stream_headers, without_any_in_the_caps_are_none)
{
    GstCaps *caps = gst_caps_new_simple("video/x-flv", "streamheader", G_TYPE_INT, 5, NULL);

    stream_headers_set_caps(&headers, caps);
    cr_expect_not(stream_headers_any(&headers));
    gst_caps_unref(caps);
}

Test(stream_headers, are_taken_out_however_they_are_cut)
{
    set_caps("FLV", "metadata");
    cr_expect(take("FLV", header_flag));
    cr_expect(take("FLVmeta", header_flag), "across two of the caps");
    cr_expect(take("data", header_flag), "a part of one");
    cr_expect_not(take("FLV", 0), "not flagged");
    cr_expect_not(take("FLX", header_flag), "other bytes");
    cr_expect_not(take("frame", 0));
}

Test(stream_headers, that_come_before_their_caps_are_withheld)
{
    cr_expect(take_early("FLV"));
    cr_expect(take_early("cue"));
    set_caps("FLV", NULL);
    cr_expect_not(take("frame", 0));
    expect_withheld("cue");
    expect_withheld(NULL);
}

Test(stream_headers, that_no_caps_name_pass_in_their_order)
{
    cr_expect(take_early("one"));
    cr_expect(take_early("two"));
    cr_expect_not(take("frame", 0));
    expect_withheld("one");
    expect_withheld("two");
    expect_withheld(NULL);
}

Test(stream_headers, do_not_come_early_once_the_stream_has_begun)
{
    cr_expect_not(take("frame", 0));
    cr_expect_not(take_early("one"));
    stream_headers_reset(&headers);
    cr_expect(take_early("one"));
    stream_headers_flush(&headers);
    expect_withheld(NULL);
}

Test(stream_headers, are_not_keyframes)
{
    cr_expect_not(take("key", header_flag), "without the flag of a delta unit");
}

Test(stream_headers, are_withheld_up_to_a_bound)
{
    for (unsigned i = 0; i < 16; i++) {
        cr_expect(take_early("header"));
    }
    cr_expect_not(take_early("header"));
}

Test(stream_headers, are_taken_out_of_lists)
{
    GstBufferList *list = gst_buffer_list_new();

    set_caps("FLV", "metadata");
    gst_buffer_list_add(list, buffer_of("FLV", header_flag));
    gst_buffer_list_add(list, buffer_of("frame", 0));
    gst_buffer_list_add(list, buffer_of("metadata", header_flag));
    GstBufferList *shared = gst_buffer_list_ref(list);

    list = stream_headers_filter(&headers, list);
    cr_assert_eq(gst_buffer_list_length(list), 1);
    cr_expect_eq(gst_buffer_memcmp(gst_buffer_list_get(list, 0), 0, "frame", 5), 0);
    cr_expect_eq(gst_buffer_list_length(shared), 3, "others may hold it");
    gst_buffer_list_unref(list);
    GstBufferList *other = gst_buffer_list_new();

    gst_buffer_list_add(other, buffer_of("frame", 0));
    GstBufferList *filtered = stream_headers_filter(&headers, other);

    cr_expect_eq(filtered, other, "nothing to take out");
    gst_buffer_list_unref(filtered);
    gst_buffer_list_unref(shared);
}
