#include "host-gst/src/src_settings.h"

#include <gst/gst.h>

#include "base/attributes.h"
#include "base/version.h"
#include "host-gst/link/setting_table.h"

static GType recover_type(void)
{
    static gsize type;
    static const GEnumValue values[] = {
        {SRC_RECOVER_KEYFRAME, "Video goes on with a keyframe", "keyframe"},
        {SRC_RECOVER_NONE, "Goes on with the next message", "none"},
        {0, NULL, NULL},
    };
    return setting_table_enum_type(&type, "GstRelaySrcRecover", values);
}

#define AT(member) offsetof(struct src_settings, member)

static const struct setting rows[] = {
    {SRC_PROPERTY_MAX_AGE, "max-age", "Max Age",
     "Messages that waited longer for the pipeline are dropped, in ns (0 = no limit)",
     SETTING_UINT64, AT(max_age_ns), 0, G_MAXINT64, GST_SECOND, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SRC_PROPERTY_MAX_QUEUE_BYTES, "max-queue-bytes", "Max Queue Bytes",
     "Bytes that may wait for the pipeline; the oldest messages make room", SETTING_UINT64,
     AT(max_queue_bytes), 1, G_MAXINT64, 8 << 20, GST_PARAM_MUTABLE_PLAYING, NULL},
    {SRC_PROPERTY_RECOVER, "recover", "Recover",
     "How a video starts, and goes on after a loss or a reconnect", SETTING_ENUM, AT(recover),
     .initial = SRC_RECOVER_KEYFRAME, .mutable = GST_PARAM_MUTABLE_PLAYING,
     .enum_type = recover_type},
};

const struct setting_table src_settings_table = {rows, ARRAY_LENGTH(rows)};

void src_settings_to_options(const struct src_settings *settings,
                             struct relay_client_options *ret_options)
{
    link_settings_to_options(&settings->link, "relaysrc/" RELAY_VERSION, ret_options);
    ret_options->receive_queue_bytes_max = settings->max_queue_bytes;
    ret_options->receive_age_max_ms =
        settings->max_age_ns / GST_MSECOND + (settings->max_age_ns % GST_MSECOND != 0);
}
