/* WebSocket frames from a server (RFC 6455 §5.2) as they come, cut anywhere: payloads of messages
 * are passed on, pings are answered. Independent of wire/. One thread; never allocates. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "perf/load/load_transport.h"

enum frames_sizes {
    FRAMES_HEADER_BYTES_MAX = 10,
    FRAMES_CONTROL_BYTES_MAX = 125,
    FRAMES_READ_BYTES = 64 * 1024,
};

struct frames {
    struct load_transport *transport;                    /* that pongs go to; of the owner */
    void (*on_payload)(void *ctx, struct bytes payload); /* or NULL */
    void *ctx;

    /* Private to frames.c. */
    uint8_t header[FRAMES_HEADER_BYTES_MAX];
    size_t header_len;
    uint64_t payload_left;
    bool in_payload;
    uint8_t control[FRAMES_CONTROL_BYTES_MAX];
    size_t control_len;
};

/* 0, -ESHUTDOWN for a Close, or -EPROTO for what no server sends. */
MUST_USE int frames_take(struct frames *frames, struct bytes input);

/* Reads once from the transport, and takes that. 0, also when nothing is there; -ECONNRESET at the
 * end of the stream; or as above. */
MUST_USE int frames_read(struct frames *frames);

/* Sends one binary message on a blocking transport, with a mask of zero. 0 or -errno. */
MUST_USE int frames_send(struct load_transport *transport, struct bytes payload);
