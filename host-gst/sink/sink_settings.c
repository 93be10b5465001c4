#include "host-gst/sink/sink_settings.h"

#include <gst/gst.h>

#include "base/attributes.h"
#include "base/version.h"
#include "host-gst/link/setting_table.h"

static GType framing_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_FRAMING_AUTO, "By input: frames of MPEG-TS, otherwise buffers or lists", "auto"},
        {SINK_FRAMING_FRAME, "One message per video frame of MPEG-TS", "frame"},
        {SINK_FRAMING_BUFFER, "One message per buffer", "buffer"},
        {SINK_FRAMING_LIST, "One message per buffer list, or buffer outside a list", "list"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelaySinkFraming", values);
}

static GType message_type_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_MESSAGE_AUTO, "Text for text/x-raw and application/x-json, else binary", "auto"},
        {SINK_MESSAGE_BINARY, "Binary messages", "binary"},
        {SINK_MESSAGE_TEXT, "Text messages; data that is not UTF-8 is sent as binary", "text"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelaySinkMessageType", values);
}

static GType publish_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_PUBLISH_ALWAYS, "Whether there are viewers or not", "always"},
        {SINK_PUBLISH_ON_DEMAND, "Nothing while there are no viewers, then from a keyframe on",
         "on-demand"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelaySinkPublish", values);
}

static GType drop_policy_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SINK_DROP_KEYFRAME, "Everything up to the next keyframe (images, data: the oldest)",
         "keyframe"},
        {SINK_DROP_OLDEST, "The oldest messages", "oldest"},
        {SINK_DROP_NEWEST, "The message that does not fit", "newest"},
        {SINK_DROP_NONE, "Nothing: upstream waits for room", "none"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelaySinkDropPolicy", values);
}

#define AT(member) offsetof(struct sink_settings, member)

static const struct setting rows[] = {
    {SINK_PROPERTY_WAIT_FOR_CONNECTION, "wait-for-connection", "Wait For Connection",
     "Block upstream while there is no connection or no room, and drop nothing; for files and "
     "data that must all arrive",
     SETTING_BOOLEAN, AT(wait_for_connection), .initial = FALSE,
     .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_FRAMING, "framing", "Framing", "How input is divided into messages",
     SETTING_ENUM, AT(framing), .initial = SINK_FRAMING_AUTO, .mutable = GST_PARAM_MUTABLE_READY,
     .enum_type = framing_type},
    {SINK_PROPERTY_MESSAGE_TYPE, "message-type", "Message Type", "WebSocket type of the messages",
     SETTING_ENUM, AT(message_type), .initial = SINK_MESSAGE_AUTO,
     .mutable = GST_PARAM_MUTABLE_READY, .enum_type = message_type_type},
    {SINK_PROPERTY_MAX_QUEUE_TIME, "max-queue-time", "Max Queue Time",
     "Messages that waited longer than this are dropped, in ns (0 = no limit)", SETTING_UINT64,
     AT(max_queue_time_ns), 0, G_MAXINT64, 500 * GST_MSECOND, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_MAX_QUEUE_BYTES, "max-queue-bytes", "Max Queue Bytes",
     "Bytes that may be queued; a larger message is accepted when the queue is empty",
     SETTING_UINT64, AT(max_queue_bytes), 1, G_MAXINT64, 8 << 20, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SINK_PROPERTY_DROP_POLICY, "drop-policy", "Drop Policy",
     "What is dropped when the network is too slow", SETTING_ENUM, AT(drop_policy),
     .initial = SINK_DROP_KEYFRAME, .mutable = GST_PARAM_MUTABLE_PLAYING,
     .enum_type = drop_policy_type},
    {SINK_PROPERTY_REQUEST_KEYFRAME, "request-keyframe", "Request Keyframe",
     "Ask the encoder for a keyframe after connecting, after drops, for the first viewer and when "
     "the relay asks for one, twice per second at most",
     SETTING_BOOLEAN, AT(request_keyframe), .initial = TRUE, .mutable = GST_PARAM_MUTABLE_PLAYING},
    {SINK_PROPERTY_EOS_TIMEOUT, "eos-timeout", "EOS Timeout",
     "How long the end of the stream waits until everything is sent, in ms; with upstream waiting "
     "for room: how long without anything being sent",
     SETTING_UINT, AT(eos_timeout_ms), 0, SETTING_DELAY_MS_MAX, 1000, GST_PARAM_MUTABLE_PLAYING,
     NULL},
    {SINK_PROPERTY_PUBLISH, "publish", "Publish",
     "When to send; on-demand needs a relay that tells about viewers (relay.v1), and is always "
     "elsewhere",
     SETTING_ENUM, AT(publish), .initial = SINK_PUBLISH_ALWAYS,
     .mutable = GST_PARAM_MUTABLE_PLAYING, .enum_type = publish_type},
};

const struct setting_table sink_settings_table = {rows, ARRAY_LENGTH(rows)};

void sink_settings_to_options(const struct sink_settings *settings,
                              struct relay_client_options *ret_options)
{
    link_settings_to_options(&settings->link, "relaysink/" RELAY_VERSION, ret_options);
    ret_options->hold_age_max_ms = SINK_HOLD_MS;
}
