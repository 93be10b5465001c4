/* Goal: each notice is a warning with a cause and, where there is one, a cure. Method: the bus of
 * an element is read. */
#include "host-gst/sink/stream_notice.h"

#include <criterion/criterion.h>
#include <string.h>

#include "base/attributes.h"

/* The text of the warning that a notice posts; the caller frees. */
static char *posted(enum stream_notice notice)
{
    GstElement *element = gst_bin_new("sink");
    GstBus *bus = gst_bus_new();
    GError *error = NULL;
    char *details = NULL;

    gst_element_set_bus(element, bus);
    stream_notice_post(element, notice);
    GstMessage *message = gst_bus_pop_filtered(bus, GST_MESSAGE_ANY);

    cr_assert_not_null(message);
    cr_assert_eq(GST_MESSAGE_TYPE(message), GST_MESSAGE_WARNING);
    gst_message_parse_warning(message, &error, &details);
    cr_expect_eq(error->domain, GST_STREAM_ERROR);
    cr_expect_eq(error->code, GST_STREAM_ERROR_FORMAT);
    char *text = g_strdup(error->message);

    g_error_free(error);
    g_free(details);
    gst_message_unref(message);
    cr_expect_null(gst_bus_pop(bus));
    gst_element_set_bus(element, NULL);
    gst_object_unref(bus);
    gst_object_unref(element);
    return text;
}

Test(stream_notice, warns_with_cause_and_cure)
{
    static const struct {
        const char *cause, *cure;
    } notices[] = {
        [STREAM_NOTICE_CUT_FRAMES] = {"inside of frames", "alignment of mpegtsmux"},
        [STREAM_NOTICE_PACKETS_192] = {"192 bytes", "m2ts-mode=false"},
        [STREAM_NOTICE_PACKETS_204] = {"204 bytes", "ffmpeg -i FILE -c copy -f mpegts"},
        [STREAM_NOTICE_MULTIPART] = {"multipart", "put multipartdemux before relaysink"},
        [STREAM_NOTICE_HEADERS_TOO_LARGE] = {"larger than 10 MiB", "leave pictures out"},
        [STREAM_NOTICE_NO_VIDEO] = {"has no video", "link a video stream to the muxer"},
        [STREAM_NOTICE_NO_MARKS] = {"random_access_indicator", "by their pictures instead"},
        [STREAM_NOTICE_NO_PARAMETERS] = {"without the parameters", "config-interval=-1"},
        [STREAM_NOTICE_NO_KEYFRAMES] = {"no keyframe for 5 s", "starts anywhere"},
    };

    gst_init(NULL, NULL);
    cr_assert_eq(ARRAY_LENGTH(notices), STREAM_NOTICE_COUNT);
    for (enum stream_notice i = 0; i < STREAM_NOTICE_COUNT; i++) {
        char *text = posted(i);

        cr_expect_not_null(strstr(text, notices[i].cause), "%s", text);
        cr_expect_not_null(strstr(text, notices[i].cure), "%s", text);
        g_free(text);
    }
}
