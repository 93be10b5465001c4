/* The work of a request of the access API beyond its own worker: cut the connections of a booking
 * everywhere, store a change on disk, gather a report. The request waits (deferred.h). */
#pragma once

#include "server/access/access.h"
#include "server/conn/deferred.h"

/* The client that changes a booking, for the line in the log. */
struct control_actor {
    char booking_id[TOKEN_TEXT_SIZE]; /* of the administrator's token */
    char address[REPORTED_ADDRESS_SIZE];
    char user_agent[USER_AGENT_SIZE];
};

/* Does what reply->action asks for; a change of a booking is logged when its outcome is known.
 * True: the reply can be sent now. False: the request is deferred, and answer gets the reply, which
 * may be before this returns. */
bool control_run(struct conn *conn, struct access_reply *reply, const struct control_actor *actor,
                 deferred_answer_fn *answer);
