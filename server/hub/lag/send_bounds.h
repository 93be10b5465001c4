/* The bounds of what waits for one viewer: messages, bytes (never more than is left of the message
 * memory) and age. Entries in flight or begun do not count, nor do those that a viewer begins with
 * (hub/stream_join.h), and no picture is too old while these are on their way; if there are none,
 * or the send in flight began in this turn or the last, the viewer has taken everything: then
 * SEND_BURST_MAX messages may wait.
 * Any worker; no state.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/hub/lag/lag.h"
#include "server/hub/send_queue.h"

enum send_bounds_limits {
    SEND_BURST_MAX = 4096, /* messages for a viewer that is not slow */
};

/* Same for all queues; from the options. */
struct send_queue_bounds {
    uint32_t messages_max;
    uint64_t bytes_max;        /* a larger message is accepted when nothing else is waiting */
    uint64_t age_ms_max;       /* of data; 0: none */
    uint64_t video_age_ms_max; /* of pictures; 0: none */
};

/* Messages of a burst. */
unsigned send_bounds_burst(const struct send_queue_bounds *bounds);

/* Whether there is no place for that message beside what waits, of which so many may be. */
MUST_USE bool send_bounds_are_over(const struct send_queue *queue, const struct worker *worker,
                                   const struct send_queue_bounds *bounds,
                                   const struct message *message, unsigned messages_max);

/* The age that pictures, or data, may have for this viewer: the operator's, or a shorter one that
 * the viewer asked for. 0: any. */
uint64_t send_bounds_age_ms(const struct send_queue_bounds *bounds, const struct lag *lag,
                            bool is_picture);

/* Whether the entry has waited longer. */
MUST_USE bool send_bounds_are_outlived(const struct send_queue_bounds *bounds,
                                       const struct lag *lag, const struct send_entry *entry,
                                       uint64_t now_ms);

/* Or half as long; of pictures. */
MUST_USE bool send_bounds_are_half_outlived(const struct send_queue_bounds *bounds,
                                            const struct lag *lag, const struct send_entry *entry,
                                            uint64_t now_ms);

/* False: nothing that waits has waited half as long, because the oldest has not. Cheap. */
MUST_USE bool send_bounds_may_be_outlived(const struct send_queue_bounds *bounds,
                                          const struct lag *lag, const struct send_queue *queue,
                                          uint64_t now_ms);
