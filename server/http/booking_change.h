/* A change of a booking beyond the worker of its request: the connections of a denied one are cut
 * everywhere, and the disk stores it. The request waits (deferred.h). */
#pragma once

#include "server/access/access.h"
#include "server/conn/deferred.h"
#include "server/websocket/phase_websocket.h"

/* The client that changes a booking, for the line in the log. */
struct booking_change_actor {
    char booking_id[TOKEN_TEXT_SIZE]; /* of the administrator's token */
    char address[REPORTED_ADDRESS_SIZE];
    char user_agent[USER_AGENT_SIZE];
};

/* Closes the connections of a denied booking on this worker. */
void booking_change_cut_here(struct worker *worker, const char *booking_id);

/* For ACCESS_ACTION_DENY and ACCESS_ACTION_ALLOW; logged when its outcome is known. True: the reply
 * can be sent now. False: the request is deferred, and answer gets the reply, which may be before
 * this returns. */
bool booking_change_carry_out(struct conn *conn, struct access_reply *reply,
                              const struct booking_change_actor *actor, deferred_answer_fn *answer);
