/* Goal: an answer reaches the request that waits for it, and no other tenant of its place.
 * Method: a connection that is only filled in; the phase that would answer is the test. */
#include "server/conn/deferred.h"

#include <criterion/criterion.h>
#include <stdlib.h>

static unsigned answered;

static void answer(struct conn *conn, struct access_reply *reply)
{
    cr_assert_not(conn->awaits_answer);
    cr_assert_eq(reply->status, 200);
    free(reply->long_body);
    answered++;
}

static struct access_reply reply_make(void)
{
    struct access_reply reply = {.status = 200, .long_body = malloc(8)};

    cr_assert_not_null(reply.long_body);
    return reply;
}

Test(deferred, answer_reaches_the_request_once)
{
    struct conn conn = {.serial = 7};
    struct deferred_ticket ticket = deferred_begin(&conn, answer);
    struct access_reply reply = reply_make();

    cr_assert(conn.awaits_answer);
    cr_assert(deferred_is_wanted(ticket));
    deferred_finish(ticket, &reply);
    cr_assert_eq(answered, 1);
    cr_assert_not(deferred_is_wanted(ticket));
    reply = reply_make();
    deferred_finish(ticket, &reply); /* freed, or the sanitizer says so */
    cr_assert_eq(answered, 1);
}

Test(deferred, answer_is_dropped_when_the_connection_went)
{
    struct conn conn = {.serial = 7};
    struct deferred_ticket ticket = deferred_begin(&conn, answer);
    struct access_reply reply = reply_make();

    conn = (struct conn){.serial = 8}; /* another one in its place, which waits as well */
    struct deferred_ticket next = deferred_begin(&conn, answer);

    deferred_finish(ticket, &reply);
    cr_assert_eq(answered, 0);
    cr_assert(deferred_is_wanted(next));
}

Test(deferred, request_that_is_answered_at_once_waits_no_more)
{
    struct conn conn = {.serial = 7};
    struct deferred_ticket ticket = deferred_begin(&conn, answer);

    deferred_cancel(ticket);
    cr_assert_not(conn.awaits_answer);
    cr_assert_not(deferred_is_wanted(ticket));
}
