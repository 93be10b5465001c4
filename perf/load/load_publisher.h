/* Messages of one publishing connection: the same frame repeatedly, masked once beforehand so that
 * the generator costs next to nothing, with a new stamp in each. At most one message is in flight:
 * its unsent rest waits here, so memory is bounded. One thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/load_transport.h"
#include "perf/load/stamp.h"

enum load_publisher_sizes {
    LOAD_PUBLISHER_HEADER_BYTES_MAX = 14,
    LOAD_PUBLISHER_PONG_BYTES_MAX = 6 + 125,
};

struct load_publisher {
    uint8_t *frame; /* owned */
    size_t frame_len;
    size_t frame_sent; /* frame_len: nothing is unsent */
    size_t payload_offset;
    uint8_t mask[4]; /* zero when the server wants no masks */
    struct stamp stamp;
    uint64_t completed; /* messages handed to the kernel whole */
};

/* -ENOMEM. bytes ≥ STAMP_SIZE. */
MUST_USE int load_publisher_init(struct load_publisher *publisher, size_t bytes, bool is_masked,
                                 uint32_t run, uint32_t topic);

/* Accepts a zeroed publisher. */
void load_publisher_deinit(struct load_publisher *publisher);

bool load_publisher_is_waiting(const struct load_publisher *publisher);

/* Starts the next message; nothing may be unsent. Then flush. */
void load_publisher_begin(struct load_publisher *publisher, uint64_t now_ns);

/* 0: everything was sent; -EAGAIN: the rest is unsent; or another -errno. */
MUST_USE int load_publisher_flush(struct load_publisher *publisher,
                                  struct load_transport *transport);

/* Writes a masked control frame (RFC 6455 §5.5) and returns its size. len ≤ 125. */
size_t load_publisher_control_write(unsigned opcode, const void *payload, size_t len,
                                    uint8_t frame[static LOAD_PUBLISHER_PONG_BYTES_MAX]);
