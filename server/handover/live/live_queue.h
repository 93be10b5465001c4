/* Messages that wait for a viewer, or in a cache, as one field: for each entry the number of its
 * message and the time that it was late, of 4 bytes, its part and whether it is a catch-up, of 1,
 * and two zeros. Owner worker only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/handover/handover_writer.h"
#include "server/handover/live/live_census.h"

enum live_queue_sizes { LIVE_QUEUE_ENTRY_BYTES = 12, LIVE_QUEUE_ENTRIES_MAX = 8192 };

struct live_messages {
    struct message **all; /* by their numbers, each referenced */
    uint32_t count;
};

size_t live_queue_size(const struct send_queue *queue);

/* False: no memory. */
MUST_USE bool live_queue_write(struct handover_writer *writer, uint16_t id,
                               const struct live_census *census, const struct send_queue *queue);

/* Into an empty queue; what a viewer begins with is charged to the topic. False: no memory, or the
 * field is none. */
MUST_USE bool live_queue_read(struct bytes field, struct worker *worker, struct topic *topic,
                              const struct live_messages *messages, struct send_queue *queue);
