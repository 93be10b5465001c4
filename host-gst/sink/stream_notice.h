/* One-time warnings about a stream that viewers will have trouble with: cause and cure. */
#pragma once

#include <gst/gst.h>

enum stream_notice {
    STREAM_NOTICE_CUT_FRAMES,
    STREAM_NOTICE_PACKETS_192,
    STREAM_NOTICE_PACKETS_204,
    STREAM_NOTICE_MULTIPART,
    STREAM_NOTICE_HEADERS_TOO_LARGE,
    STREAM_NOTICE_NO_VIDEO,
    STREAM_NOTICE_NO_MARKS,
    STREAM_NOTICE_NO_PARAMETERS,
    STREAM_NOTICE_NO_KEYFRAMES,
    STREAM_NOTICE_COUNT,
};

/* Posts a WARNING stream/format. */
void stream_notice_post(GstElement *element, enum stream_notice notice);
