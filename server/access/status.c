/* GET /status: the open connections. The list is gathered from all workers by the layer above. */
#include "server/access/routes.h"

void status_get(struct access_call *call, struct access_reply *reply)
{
    if (!token_claims_have_scope(&call->claims, "relay:stats")) {
        access_reply_error(reply, 401, "token missing relay:stats scope");
        return;
    }
    access_reply_empty(reply, 200);
    reply->action = ACCESS_ACTION_STATUS;
}
