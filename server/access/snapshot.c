#include "server/access/snapshot.h"

#include <string.h>

#include "server/bookings/permission.h"

static const char *const types[] = {
    [ACCESS_PICTURE_JPEG] = "image/jpeg",
    [ACCESS_PICTURE_STREAM] = "video/mp2t",
    [ACCESS_PICTURE_OTHER] = "application/octet-stream",
};

const char *snapshot_type(enum access_picture picture)
{
    return types[picture];
}

static const char *refusal(const struct access_call *call, const struct permission *permission)
{
    if (!call->has_parameter || strcmp(call->claims.topic, call->parameter) != 0) {
        return "token of another topic";
    }
    if (!permission->is_session || !permission->can_read) {
        return "token missing read scope";
    }
    return NULL;
}

static bool may_see(const struct access_call *call, struct access_reply *reply)
{
    struct permission permission;

    permission_from_claims(&permission, &call->claims);
    const char *reason = refusal(call, &permission);

    if (reason != NULL) {
        access_reply_error(reply, 401, reason);
        return false;
    }
    if (call->claims.booking_id[0] == '\0' && !call->context->allow_no_booking_id) {
        access_reply_error(reply, 400, "empty bookingID field is not permitted");
        return false;
    }
    if (bookings_is_denied(call->context->bookings, call->claims.booking_id, call->now_s)) {
        access_reply_error(reply, 400, "booking is denied");
        return false;
    }
    return true;
}

void snapshot_get(struct access_call *call, struct access_reply *reply)
{
    if (!may_see(call, reply)) {
        return;
    }
    access_reply_empty(reply, 200);
    for (unsigned i = 0; i < ARRAY_LENGTH(types); i++) {
        reply->pictures |= access_accepts(call->request, types[i]) ? 1u << i : 0;
    }
    memcpy(reply->topic, call->parameter, sizeof reply->topic);
    reply->action = ACCESS_ACTION_SNAPSHOT;
}
