/* Goal: caps say what a stream is. Method: caps that elements have. */
#include "host-gst/link/stream_kind.h"

#include <criterion/criterion.h>

#include "base/attributes.h"

Test(stream_kind, is_known_by_its_caps)
{
    static const struct {
        const char *caps;
        enum stream_kind kind;
    } cases[] = {
        {"ANY", STREAM_UNKNOWN},
        {"EMPTY", STREAM_UNKNOWN},
        {"video/mpegts, systemstream=true", STREAM_MPEGTS},
        {"image/jpeg", STREAM_IMAGE},
        {"image/png", STREAM_IMAGE},
        {"text/x-raw, format=utf8", STREAM_TEXT},
        {"application/x-json", STREAM_TEXT},
        {"video/webm", STREAM_DATA},
        {"multipart/x-mixed-replace", STREAM_DATA},
    };

    gst_init(NULL, NULL);
    cr_expect_eq(stream_kind_of_caps(NULL), STREAM_UNKNOWN);
    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        GstCaps *caps = gst_caps_from_string(cases[i].caps);

        cr_expect_eq(stream_kind_of_caps(caps), cases[i].kind, "%s", cases[i].caps);
        gst_caps_unref(caps);
    }
}
