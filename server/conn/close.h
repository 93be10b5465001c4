/* The end of a connection, in steps: begin (what is queued still goes out, then FIN, then the
 * peer's end) or now (cancel and close), join (wait until the kernel holds nothing), release. Owner
 * worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"
#include "server/hub/message.h"
#include "wire/ws_close_watch.h"

enum close_limits {
    CLOSE_LINGER_MS = 2000,  /* for the peer's Close or FIN after ours */
    STOP_LINGER_MS = 700,    /* the same at a stop, and between looks at a slow viewer then */
    STOP_DEADLINE_MS = 4000, /* for a slow viewer that takes what waits for it */
};
_Static_assert(STOP_LINGER_MS < CLOSE_LINGER_MS, "a stop hastens what is closing already");

void conn_close_init(struct conn *conn);
/* Polite: stops receiving into the phase, sends what is in flight and the Close (WebSocket), then
 * FIN, then waits for the peer's end. Only the first reason counts. The connection is still there
 * when this returns. */
void conn_close_begin(struct conn *conn, enum close_reason reason);
/* As conn_close_begin, for a connection on which the peer has nothing to say: its end is not waited
 * for, and close_notify no longer than a linger where the peer takes nothing. */
void conn_close_idle(struct conn *conn, enum close_reason reason);
/* At once: cancels everything and closes. */
void conn_close_now(struct conn *conn, enum close_reason reason);
/* Cancels what is received and sent, with nothing lost: what is cancelled is as if it had not been
 * begun. Completions tell when; before that nothing may be started (conn.is_held). */
void conn_close_cancel(struct conn *conn);
/* The memory of requests is exhausted: counts it and raises the alarm. */
void conn_close_count_memory(struct conn *conn);
/* The same, closing the connection at once, and the one that is to make room: the next one finds
 * some memory. */
void conn_close_for_memory(struct conn *conn);
/* Another worker has the connection, its descriptor, its place and what its transport took over:
 * releases what is left of it here, without a close. From PHASE_HTTP, while nothing is in flight.
 */
void conn_close_moved(struct conn *conn);
/* Another program has the connection, and a descriptor of its own: releases what there is of it
 * here, and closes this program's descriptor, which tells the peer nothing. One that is held
 * (hold.h) and given. */
void conn_close_given(struct conn *conn);
/* At once, the one that is to make room (unfinished.h); its place is free. False: there is none. */
bool conn_close_oldest(struct conn_table *table);
/* A WebSocket: as conn_close_begin, after a last message (NULL: none), whose reference is given up.
 * watch: looks for the peer's Close, whose sender is then not waited for; NULL: the peer's bytes
 * cannot be told apart any more. */
void conn_close_saying(struct conn *conn, enum close_reason reason, struct message *last,
                       const struct ws_close_watch *watch);
