/* A WebSocket as a record, and from a record. Held (conn/hold.h) on both sides. Owner worker only.
 */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"
#include "server/handover/live/live_census.h"
#include "server/handover/live/live_message.h"
#include "server/handover/live/live_queue.h"

/* Whether another program can know everything of it. */
MUST_USE bool live_websocket_may_move(const struct conn *conn);

/* Bytes of its record, at most. */
size_t live_websocket_size(const struct conn *conn);

/* False: it does not fit, or no memory. */
MUST_USE bool live_websocket_write(struct handover_writer *writer, const struct live_census *census,
                                   const struct conn *conn);

/* Makes it, held. False, with a word in error: then it may have been made all the same, in part. In
 * *ret_conn, which has the descriptor; NULL: it was not made. */
MUST_USE bool live_websocket_read(const struct handover_record *record, struct conn_table *table,
                                  int fd, const struct live_topics *topics,
                                  const struct live_messages *messages, struct conn **ret_conn,
                                  const char **error);
