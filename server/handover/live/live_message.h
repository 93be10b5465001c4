/* A message as a record: written once for all that wait for it on a worker. Owner worker only. */
#pragma once

#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/handover/live/live_census.h"

struct live_topics {
    struct topic **all; /* by their numbers */
    uint32_t count;
};

/* Bytes of its record, at most. */
size_t live_message_size(const struct message *message);

/* False: it does not fit. */
MUST_USE bool live_message_write(struct handover_writer *writer, const struct live_census *census,
                                 const struct message *message);

/* The message, with one reference by the caller; NULL, with a word in error: no memory, or the
 * record is none. */
MUST_USE struct message *live_message_read(const struct handover_record *record,
                                           struct worker *worker, const struct live_topics *topics,
                                           const char **error);
