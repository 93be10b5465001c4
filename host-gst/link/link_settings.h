/* User settings of the connection, the same for relaysink and relaysrc: their properties, defaults
 * and bounds. Owned by the element, guarded by its object lock; nothing here waits. */
#pragma once

#include <glib-object.h>
#include <stdbool.h>

#include "client/relay_client.h"
#include "host-gst/link/setting_table.h"

struct link_settings {
    char *location;
    char *token; /* never returned to the user */
    char *token_file;
    char *tls_ca_file;
    char *proxy; /* never returned to the user: it may hold a password */
    gboolean tls_verify;
    gboolean auto_reconnect;
    gint retries;
    guint reconnect_delay_ms;
    guint reconnect_delay_max_ms;
    guint connect_timeout_ms;
    guint stall_timeout_ms;
    guint ping_interval_ms;
    bool location_refused; /* the location held a password and was not stored */
};

enum link_property {
    LINK_PROPERTY_LOCATION = 1,
    LINK_PROPERTY_TOKEN_FILE,
    LINK_PROPERTY_TOKEN,
    LINK_PROPERTY_TLS_CA_FILE,
    LINK_PROPERTY_TLS_VERIFY,
    LINK_PROPERTY_PROXY,
    LINK_PROPERTY_AUTO_RECONNECT,
    LINK_PROPERTY_RETRIES,
    LINK_PROPERTY_RECONNECT_DELAY,
    LINK_PROPERTY_RECONNECT_DELAY_MAX,
    LINK_PROPERTY_CONNECT_TIMEOUT,
    LINK_PROPERTY_STALL_TIMEOUT,
    LINK_PROPERTY_PING_INTERVAL,
    LINK_PROPERTY_CONNECTION_STATE, /* from here on: link.h */
    LINK_PROPERTY_STATUS,
    LINK_PROPERTY_STATS,
    LINK_PROPERTY_VIEWERS, /* of elements that send */
    LINK_PROPERTY_COUNT,   /* the first free number for the element itself */
};

/* own: the table of the element, whose settings are a struct that begins with these. */

/* Class initialisation: installs the properties up to the ping interval, and the element's. */
void link_settings_install(const struct setting_table *own, GObjectClass *class);

void link_settings_init(const struct setting_table *own, struct link_settings *settings);

/* Frees the texts, wipes the token. */
void link_settings_deinit(const struct setting_table *own, struct link_settings *settings);

/* False when the property is not one of these, or may not be read. A location with a password is
 * not stored. */
bool link_settings_set(const struct setting_table *own, struct link_settings *settings,
                       guint property, const GValue *value);
bool link_settings_get(const struct setting_table *own, const struct link_settings *settings,
                       guint property, GValue *value);

/* The fault of the location that the client does not find, as it is not visible there: one line;
 * NULL: none. */
const char *link_settings_fault(const struct link_settings *settings);

/* The client's options of the connection. The texts are borrowed from settings. */
void link_settings_to_options(const struct link_settings *settings, const char *user_agent,
                              struct relay_client_options *ret_options);
