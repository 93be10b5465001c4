/* One element of a report: a connection, or the relay itself, as JSON in the two shapes that
 * clients know. Owns nothing. */
#pragma once

#include "base/json_writer.h"
#include "server/conn/conn.h"

enum { REPORT_ELEMENT_SIZE = 5 * 1024 }; /* enough for any */

/* A connection in PHASE_WEBSOCKET, followed by a comma. On its worker. */
void report_element_write_conn(struct json_writer *out, enum report_shape shape,
                               const struct conn *conn);

/* The relay listens on its topic itself, and clients expect to see it. Followed by a comma. */
void report_element_write_self(struct json_writer *out, enum report_shape shape,
                               const struct conn_shared *shared);
