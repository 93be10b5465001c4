/* What a request of the access API does beyond its own worker: cut the connections of a booking
 * everywhere, store a change on disk, gather a report. The request waits in PHASE_HTTP (deferred)
 * and is answered on its own worker. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"

/* Who changes a booking, for the line in the log. */
struct control_actor {
    char booking_id[TOKEN_TEXT_SIZE]; /* of the administrator's token */
    char address[REPORTED_ADDRESS_SIZE];
    char user_agent[USER_AGENT_SIZE];
};

/* Does what reply->action asks for; a change of a booking is logged when its outcome is known.
 * True: the reply can be sent now. False: the request is deferred and will be answered by
 * http_answer_deferred. */
bool control_run(struct conn *conn, struct access_reply *reply, const struct control_actor *actor);

/* Which request a deferred answer belongs to: the place in the table may have a new tenant by then.
 */
struct control_ticket {
    struct conn *conn;
    uint64_t serial;
};
struct control_ticket control_ticket(struct conn *conn);
/* The connection, when it still waits for this answer; else NULL. On its worker. */
struct conn *control_claim(struct control_ticket ticket);
