/* The kinds of streams that the elements treat differently, and how caps show them. Any
 * thread. */
#pragma once

#include <gst/gst.h>

enum stream_kind {
    STREAM_UNKNOWN, /* no caps: the first bytes decide */
    STREAM_MPEGTS,
    STREAM_IMAGE,
    STREAM_TEXT,
    STREAM_DATA,
};

enum stream_kind stream_kind_of_caps(const GstCaps *caps);
