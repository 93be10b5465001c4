/* relaysrc: a GStreamer source that receives what a relay passes on, one buffer per WebSocket
 * message. docs/relaysrc.md describes it for users. All network work happens in client/, on a
 * thread of its own; the streaming thread only waits for messages. */
#pragma once

#include <gst/base/gstpushsrc.h>
#include <gst/gst.h>

G_BEGIN_DECLS

#define GST_TYPE_RELAY_SRC (gst_relay_src_get_type())
G_DECLARE_FINAL_TYPE(GstRelaySrc, gst_relay_src, GST, RELAY_SRC, GstPushSrc)

G_END_DECLS
