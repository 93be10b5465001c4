/* User settings of relaysrc: those of its connection, and its own. Owned by the element, guarded by
 * its object lock; nothing here waits. */
#pragma once

#include <glib-object.h>

#include "client/relay_client.h"
#include "host-gst/link/link_settings.h"

/* The names are those of multihandlesink. */
enum src_recover {
    SRC_RECOVER_KEYFRAME,
    SRC_RECOVER_NONE,
};

struct src_settings {
    struct link_settings link; /* first, for link_settings_install and the others there */
    guint64 max_age_ns;        /* 0: no limit */
    guint64 max_queue_bytes;
    gint recover; /* enum src_recover */
};

enum src_property {
    SRC_PROPERTY_MAX_AGE = LINK_PROPERTY_COUNT,
    SRC_PROPERTY_MAX_QUEUE_BYTES,
    SRC_PROPERTY_RECOVER,
    SRC_PROPERTY_CAPS, /* the element's own */
};

/* For link_settings_install and the others there: the properties of relaysrc itself. */
extern const struct setting_table src_settings_table;

/* The texts are borrowed from settings. */
void src_settings_to_options(const struct src_settings *settings,
                             struct relay_client_options *ret_options);
