/* User settings of relaysink: those of its connection, and its own, whose properties, defaults and
 * bounds one table defines. Owned by the element, guarded by its object lock; nothing here waits.
 */
#pragma once

#include <glib-object.h>

#include "client/relay_client.h"
#include "host-gst/link/link_settings.h"

enum sink_framing {
    SINK_FRAMING_AUTO,
    SINK_FRAMING_FRAME,
    SINK_FRAMING_BUFFER,
    SINK_FRAMING_LIST,
};

enum sink_message_type {
    SINK_MESSAGE_AUTO,
    SINK_MESSAGE_BINARY,
    SINK_MESSAGE_TEXT,
};

enum sink_publish {
    SINK_PUBLISH_ALWAYS,
    SINK_PUBLISH_ON_DEMAND,
};

/* How old the keyframe may be that the first viewer begins with when none has watched. A younger
 * one than that is not asked for (sink's interval between requests). */
enum sink_settings_times { SINK_HOLD_MS = 500 };

enum sink_drop_policy {
    SINK_DROP_KEYFRAME,
    SINK_DROP_OLDEST,
    SINK_DROP_NEWEST,
    SINK_DROP_NONE,
};

struct sink_settings {
    struct link_settings link; /* first, for link_settings_install and the others there */
    gboolean wait_for_connection;
    gint framing;      /* enum sink_framing */
    gint message_type; /* enum sink_message_type */
    gint publish;      /* enum sink_publish */
    guint64 max_queue_time_ns;
    guint64 max_queue_bytes;
    gint drop_policy; /* enum sink_drop_policy */
    gboolean request_keyframe;
    guint eos_timeout_ms;
};

enum sink_property {
    SINK_PROPERTY_WAIT_FOR_CONNECTION = LINK_PROPERTY_COUNT,
    SINK_PROPERTY_FRAMING,
    SINK_PROPERTY_MESSAGE_TYPE,
    SINK_PROPERTY_MAX_QUEUE_TIME,
    SINK_PROPERTY_MAX_QUEUE_BYTES,
    SINK_PROPERTY_DROP_POLICY,
    SINK_PROPERTY_REQUEST_KEYFRAME,
    SINK_PROPERTY_EOS_TIMEOUT,
    SINK_PROPERTY_PUBLISH,
};

/* For link_settings_install and the others there: the properties of relaysink itself. */
extern const struct setting_table sink_settings_table;

/* All but the limits of the queue: sink_drop.h. The texts are borrowed from settings. */
void sink_settings_to_options(const struct sink_settings *settings,
                              struct relay_client_options *ret_options);
