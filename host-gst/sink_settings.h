/* User settings of relaysink: one table defines the properties, their defaults and bounds. Owned by
 * the element, guarded by its object lock; nothing here waits. */
#pragma once

#include <glib-object.h>
#include <stdbool.h>

#include "base/attributes.h"
#include "client/relay_client.h"

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

enum sink_drop_policy {
    SINK_DROP_KEYFRAME,
    SINK_DROP_OLDEST,
    SINK_DROP_NEWEST,
    SINK_DROP_NONE,
};

struct sink_settings {
    char *location;
    char *token; /* never returned to the user */
    char *token_file;
    char *tls_ca_file;
    gboolean tls_verify;
    gboolean auto_reconnect;
    gint retries;
    guint reconnect_delay_ms;
    guint reconnect_delay_max_ms;
    guint connect_timeout_ms;
    guint stall_timeout_ms;
    guint ping_interval_ms;
    gboolean wait_for_connection;
    gint framing;      /* enum sink_framing */
    gint message_type; /* enum sink_message_type */
    guint64 max_queue_time_ns;
    guint64 max_queue_bytes;
    gint drop_policy; /* enum sink_drop_policy */
    gboolean request_keyframe;
    guint eos_timeout_ms;
};

enum sink_property {
    SINK_PROPERTY_LOCATION = 1,
    SINK_PROPERTY_TOKEN_FILE,
    SINK_PROPERTY_TOKEN,
    SINK_PROPERTY_TLS_CA_FILE,
    SINK_PROPERTY_TLS_VERIFY,
    SINK_PROPERTY_AUTO_RECONNECT,
    SINK_PROPERTY_RETRIES,
    SINK_PROPERTY_RECONNECT_DELAY,
    SINK_PROPERTY_RECONNECT_DELAY_MAX,
    SINK_PROPERTY_CONNECT_TIMEOUT,
    SINK_PROPERTY_STALL_TIMEOUT,
    SINK_PROPERTY_PING_INTERVAL,
    SINK_PROPERTY_WAIT_FOR_CONNECTION,
    SINK_PROPERTY_FRAMING,
    SINK_PROPERTY_MESSAGE_TYPE,
    SINK_PROPERTY_MAX_QUEUE_TIME,
    SINK_PROPERTY_MAX_QUEUE_BYTES,
    SINK_PROPERTY_DROP_POLICY,
    SINK_PROPERTY_REQUEST_KEYFRAME,
    SINK_PROPERTY_EOS_TIMEOUT,
    SINK_PROPERTY_COUNT, /* the first free number for the element itself */
};

/* Class initialisation: installs the properties above. */
void sink_settings_install(GObjectClass *class);

void sink_settings_init(struct sink_settings *settings);

/* Frees the texts, wipes the token. */
void sink_settings_deinit(struct sink_settings *settings);

/* False when the property is not in the table. Fixed ones never fail: GObject has checked them. */
bool sink_settings_set(struct sink_settings *settings, guint property, const GValue *value);
bool sink_settings_get(const struct sink_settings *settings, guint property, GValue *value);

/* Limits of the client's queue. images: messages do not depend on earlier ones, so the oldest is
 * dropped where a video must resume with a keyframe. */
struct sink_queue {
    enum relay_client_drop drop;
    guint64 bytes_max;
    guint64 age_max_ms; /* 0: none */
    bool while_disconnected;
};
void sink_settings_queue(const struct sink_settings *settings, bool images,
                         struct sink_queue *ret_queue);

/* The texts are borrowed from settings. */
void sink_settings_to_options(const struct sink_settings *settings,
                              struct relay_client_options *ret_options);

/* True when sending waits for room in the queue instead of dropping. */
bool sink_settings_waits(const struct sink_settings *settings);
