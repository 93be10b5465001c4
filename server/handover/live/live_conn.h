/* The members of any connection as fields of its record: its way of bytes, and its counts. Owner
 * worker only. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

/* As far as its phase does not matter: it is held, goes on, and all of its transport is known. */
MUST_USE bool live_conn_may_move(const struct conn *conn);

void live_conn_write(struct handover_writer *writer, const struct conn *conn);

/* One with that descriptor and its transport, in no phase yet. NULL, with a word in fault: it has
 * no place, or its transport is not known. */
MUST_USE struct conn *live_conn_make(const struct handover_record *record, struct conn_table *table,
                                     int fd, const char **fault);
/* Its counts. False: one is out of its bounds. */
MUST_USE bool live_conn_read(const struct handover_record *record, struct conn *conn);
