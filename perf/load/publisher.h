/* Messages of one publishing connection: the same frame repeatedly, masked once beforehand so that
 * the generator costs next to nothing, with a new stamp in each. At most one message is in flight:
 * its unsent rest waits here, so memory is bounded. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/stamp.h"
#include "perf/load/transport.h"

enum publisher_sizes {
    PUBLISHER_HEADER_BYTES_MAX = 14,
    PUBLISHER_PONG_BYTES_MAX = 6 + 125,
};

struct publisher {
    uint8_t *frame; /* owned */
    size_t frame_len;
    size_t frame_sent; /* frame_len: nothing is unsent */
    size_t payload_offset;
    uint8_t mask[4]; /* zero when the server wants no masks */
    struct stamp stamp;
    uint64_t completed; /* messages handed to the kernel whole */
};

/* -ENOMEM. bytes ≥ STAMP_SIZE. */
MUST_USE int publisher_init(struct publisher *publisher, size_t bytes, bool is_masked, uint32_t run,
                            uint32_t topic);

/* Accepts a zeroed publisher. */
void publisher_deinit(struct publisher *publisher);

bool publisher_is_waiting(const struct publisher *publisher);

/* Starts the next message; nothing may be unsent. Then flush. */
void publisher_begin(struct publisher *publisher, uint64_t now_ns);

/* 0: everything was sent; -EAGAIN: the rest is unsent; or another -errno. */
MUST_USE int publisher_flush(struct publisher *publisher, struct transport *transport);

/* Writes a masked control frame (RFC 6455 §5.5) and returns its size. len ≤ 125. */
size_t control_frame_write(unsigned opcode, const void *payload, size_t len,
                           uint8_t frame[static PUBLISHER_PONG_BYTES_MAX]);
