/* A WebSocket's share of relay.v1, and of the control of its topic, as fields of its record. Owner
 * worker only. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/handover/handover_reader.h"
#include "server/handover/handover_writer.h"

enum { LIVE_EXCHANGE_BYTES = 4096 }; /* of all fields, at most */

void live_exchange_write(struct handover_writer *writer, const struct conn *conn);

/* The bytes that have come of the envelope of a message. NULL data: the record is of a connection
 * without relay.v1. */
struct bytes live_exchange_envelope(const struct handover_record *record);

/* conn is in its phase, held. False: the fields are none, or there is no memory. */
MUST_USE bool live_exchange_read(const struct handover_record *record, struct conn *conn);

/* When its queue is there, of which so many bytes of the first entry are sent. False: heads and
 * entries do not fit. */
MUST_USE bool live_exchange_read_heads(const struct handover_record *record, struct conn *conn);
