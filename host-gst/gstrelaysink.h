/* relaysink: a GStreamer sink that sends its input as WebSocket messages to a relay, one message
 * per video frame, image or buffer. docs/relaysink.md describes it for users. All network work
 * happens in client/, on a thread of its own; the streaming thread only copies. */
#pragma once

#include <gst/base/gstbasesink.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_RELAY_SINK (gst_relay_sink_get_type())
G_DECLARE_FINAL_TYPE(GstRelaySink, gst_relay_sink, GST, RELAY_SINK, GstBaseSink)

G_END_DECLS
