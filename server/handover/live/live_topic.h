/* A topic as a record. Owner worker only. */
#pragma once

#include "base/attributes.h"
#include "server/conn/conn_table.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/hub/topic.h"

enum { LIVE_TOPIC_BYTES = 512 }; /* of its record, at most */

/* False: it does not fit. */
MUST_USE bool live_topic_write(struct handover_writer *writer, const struct worker *worker,
                               struct topic *topic);

/* The topic with one more reference; NULL: no memory, or the record is none. */
MUST_USE struct topic *live_topic_read(const struct handover_record *record,
                                       struct conn_table *table);
