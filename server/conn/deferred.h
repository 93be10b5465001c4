/* A request whose answer comes from elsewhere: other workers, the disk. It keeps its connection,
 * which takes nothing more until then, and is answered on its own worker. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"

/* The phase sends the answer; frees reply->long_body. */
typedef void deferred_answer_fn(struct conn *conn, struct access_reply *reply);

/* Which request an answer belongs to: the place in the table may have a new tenant by then. */
struct deferred_ticket {
    struct conn *conn;
    uint64_t serial;
    deferred_answer_fn *answer;
};

/* The request that conn has just read waits. On its worker, as all of this. */
struct deferred_ticket deferred_begin(struct conn *conn, deferred_answer_fn *answer);

/* It needs no answer after all, or gets it at once. */
void deferred_cancel(struct deferred_ticket ticket);

/* True while the connection still waits for this answer. */
bool deferred_is_wanted(struct deferred_ticket ticket);

/* Answers, where it is wanted still; else frees reply->long_body. */
void deferred_finish(struct deferred_ticket ticket, struct access_reply *reply);
