/* The "stats" property of relaysrc as a structure. Any thread; never blocks. */
#pragma once

#include <gst/gst.h>

#include "client/relay_client.h"
#include "host-gst/src/receiver.h"

/* The caller's to free. */
GstStructure *src_statistics_structure(const struct relay_client_statistics *statistics,
                                       const struct receiver_figures *figures);
