/* Makes one connection of the load, so that the same generator drives a relay and the raw floor.
 * Main thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/load_transport.h"

enum connector_role { CONNECTOR_VIEWER, CONNECTOR_PUBLISHER };

enum connector_sizes { CONNECTOR_EARLY_SIZE = 16384 };

struct connection {
    struct load_transport transport;
    uint8_t early[CONNECTOR_EARLY_SIZE]; /* frames that came with the end of the handshake */
    size_t early_len;
};

struct connector {
    void *ctx;
    bool is_masked; /* the server wants masked frames, as WebSocket clients send (RFC 6455 §5.1) */
    /* Returns 0 with a connection that has joined its topic and still blocks, or -errno with the
     * reason in error. */
    int (*open)(void *ctx, unsigned topic, enum connector_role role,
                struct connection *ret_connection, char error[static LOAD_TRANSPORT_ERROR_SIZE]);
};
