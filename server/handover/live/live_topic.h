/* A topic, and what is cached of it on one worker, as records. Owner worker only. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/handover/live/live_census.h"
#include "server/handover/live/live_message.h"
#include "server/handover/live/live_queue.h"
#include "server/hub/stream_cache.h"

/* Bytes of their records, at most. */
enum { LIVE_TOPIC_BYTES = 512 };
size_t live_cache_size(const struct stream_cache *cache);

MUST_USE bool live_topic_write(struct handover_writer *writer, const struct worker *worker,
                               struct topic *topic);
/* publisher: its number among the WebSockets of the part, or -1. */
MUST_USE bool live_cache_write(struct handover_writer *writer, const struct live_census *census,
                               const struct stream_cache *cache, int64_t publisher);

/* The topic with one more reference; NULL: no memory, or the record is none. */
MUST_USE struct topic *live_topic_read(const struct handover_record *record,
                                       struct conn_table *table);

/* publishers: the connections of the part's WebSockets. A topic that has a newer cache keeps that;
 * one for which there is no memory has none. False: the record is none. */
MUST_USE bool live_cache_read(const struct handover_record *record, struct conn_table *table,
                              const struct live_topics *topics,
                              const struct live_messages *messages, struct conn *const *publishers,
                              size_t publishers_count);
