/* A connection between two requests, or before its first, as a record: with the bytes that have
 * come of the next one. Held on both sides. Owner worker only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

MUST_USE bool live_idle_may_move(const struct conn *conn);

/* Bytes of its record, at most. */
size_t live_idle_size(const struct conn *conn);

/* False: it does not fit. */
MUST_USE bool live_idle_write(struct handover_writer *writer, const struct conn *conn);

/* As live_websocket_read. */
MUST_USE bool live_idle_read(const struct handover_record *record, struct conn_table *table, int fd,
                             struct conn **ret_conn, const char **fault);
