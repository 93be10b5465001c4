/* The end of a connection, in steps: begin (what is queued still goes out, then FIN, then the
 * peer's end) or now (cancel and close), join (wait until the kernel holds nothing), release. Owner
 * worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"
#include "server/hub/message.h"
#include "wire/ws_close_watch.h"

void conn_close_init(struct conn *conn);
/* Polite: stops receiving into the phase, sends what is in flight and the Close (WebSocket), then
 * FIN, then waits for the peer's end. Only the first reason counts. The connection is still there
 * when this returns. */
void conn_close_begin(struct conn *conn, enum close_reason reason);
/* As conn_close_begin, for a connection on which the peer has nothing to say: its end is not waited
 * for. */
void conn_close_idle(struct conn *conn, enum close_reason reason);
/* At once: cancels everything and closes. */
void conn_close_now(struct conn *conn, enum close_reason reason);
/* After each completion while closing: goes on with the close; may release the connection, which is
 * not ours after that. */
void conn_close_join(struct conn *conn);
/* A WebSocket: as conn_close_begin, after a last message (NULL: none), whose reference is given up.
 * watch: looks for the peer's Close, whose sender is then not waited for; NULL: the peer's bytes
 * cannot be told apart any more. */
void conn_close_saying(struct conn *conn, enum close_reason reason, struct message *last,
                       const struct ws_close_watch *watch);
