/* The pictures that are kept of a topic on one worker (hub/stream_cache.h) as a record. Owner
 * worker only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/handover/live/live_census.h"
#include "server/handover/live/live_message.h"
#include "server/handover/live/live_queue.h"
#include "server/hub/stream_cache.h"

/* Bytes of its record, at most. */
size_t live_cache_size(const struct stream_cache *cache);

/* publisher: its number among the WebSockets of the part, or -1. False: it does not fit, or no
 * memory. */
MUST_USE bool live_cache_write(struct handover_writer *writer, const struct live_census *census,
                               const struct stream_cache *cache, int64_t publisher);

/* publishers: the connections of the part's WebSockets. A topic that has a newer cache keeps that;
 * one for which there is no memory has none. False: the record is none. */
MUST_USE bool live_cache_read(const struct handover_record *record, struct conn_table *table,
                              const struct live_topics *topics,
                              const struct live_messages *messages, struct conn *const *publishers,
                              size_t publishers_count);
