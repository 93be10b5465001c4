/* The entry point of libgstrelay.so. It runs in GStreamer's plugin scanner, too: it registers
 * types and does nothing else. */
#include "host-gst/gstrelaysink.h"
#include "host-gst/gstrelaysrc.h"

static gboolean plugin_init(GstPlugin *plugin)
{
    return gst_element_register(plugin, "relaysink", GST_RANK_NONE, GST_TYPE_RELAY_SINK) &&
           gst_element_register(plugin, "relaysrc", GST_RANK_NONE, GST_TYPE_RELAY_SRC);
}

GST_PLUGIN_DEFINE(GST_VERSION_MAJOR, GST_VERSION_MINOR, relay,
                  "Live video and data to many viewers through a relay", plugin_init, VERSION,
                  "MIT/X11", "relay GStreamer plug-in", "Unknown package origin")
