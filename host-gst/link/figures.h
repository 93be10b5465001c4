/* The property "stats" of an element as a structure: the connection's figures, and those that only
 * the element has. Any thread; never blocks. */
#pragma once

#include <gst/gst.h>
#include <stddef.h>

#include "client/relay_client.h"

struct figure {
    const char *name;
    guint64 value;
};

/* The caller's to free. */
GstStructure *figures_structure(const char *name, const struct relay_client_statistics *statistics,
                                const struct figure *figures, size_t count);
