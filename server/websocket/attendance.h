/* A connection's part in its topic: it comes and goes, among viewers, publishers and those that
 * speak relay.v1; whether it has control where that is exclusive; the stamps of what it publishes.
 * Owner worker only; never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/conn/conn.h"
#include "server/websocket/admission.h"

struct phase_websocket;

/* Takes topic, identity and exchange for the phase that conn is about to enter. False: out of
 * memory, and nothing was taken. */
MUST_USE bool attendance_take(struct conn *conn, const struct admission *admission,
                              const struct http_request *request, struct phase_websocket *ret_ws);
/* Gives topic and identity back, at the end of the phase. */
void attendance_give(struct phase_websocket *ws);

/* In PHASE_WEBSOCKET, when it is known what it may do. A viewer has what it begins with. */
void attendance_join(struct conn *conn, const struct wishes *wishes);
/* The same for one that was there before, in another program: its source is known, and it has
 * begun.
 */
void attendance_return(struct conn *conn);
void attendance_leave(struct conn *conn);

/* Whether a message of its goes to others; counted if not. */
MUST_USE bool attendance_may_publish(struct conn *conn);

/* Source, sequence and times of a message, which is the publisher's one with that number unless the
 * publisher says another. The wall clock is looked at for viewers that asked for it only. */
void attendance_stamp(struct conn *conn, struct message *message, uint32_t sequence);
