#include "server/conn/deferred.h"

#include <stdlib.h>

#include "base/check.h"

struct deferred_ticket deferred_begin(struct conn *conn, deferred_answer_fn *answer)
{
    CHECK(!conn->awaits_answer);
    conn->awaits_answer = true;
    return (struct deferred_ticket){.conn = conn, .serial = conn->serial, .answer = answer};
}

bool deferred_is_wanted(struct deferred_ticket ticket)
{
    return ticket.conn->serial == ticket.serial && ticket.conn->awaits_answer;
}

void deferred_cancel(struct deferred_ticket ticket)
{
    CHECK(deferred_is_wanted(ticket));
    ticket.conn->awaits_answer = false;
}

void deferred_finish(struct deferred_ticket ticket, struct access_reply *reply)
{
    if (!deferred_is_wanted(ticket)) {
        if (!reply->long_body_is_shared) {
            free(reply->long_body);
        }
        return;
    }
    ticket.conn->awaits_answer = false;
    ticket.answer(ticket.conn, reply);
}
