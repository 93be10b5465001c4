/* POST /session/{id}: a token in, a WebSocket URI with a one-time code out. */
#include <errno.h>
#include <string.h>

#include "base/json_writer.h"
#include "server/access/routes.h"
#include "server/bookings/permission.h"

/* In this order and these words, which existing clients show. */
static const char *refusal(const struct access_call *call)
{
    const struct token_claims *claims = &call->claims;

    if (claims->topic[0] == '\0' || claims->scopes_count == 0 || claims->prefix[0] == '\0' ||
        claims->audiences_count == 0) {
        return "Token Missing Required Claims";
    }
    if (!call->has_parameter) {
        return "Path Missing SessionID";
    }
    if (strcmp(claims->topic, call->parameter) != 0) {
        return "Token Wrong Topic";
    }
    return NULL;
}

static void reply_uri(const struct access_call *call, const char *code, struct access_reply *reply)
{
    char uri[2048];
    struct json_writer text;
    struct json_writer json;

    /* Plain concatenation, as clients know it: nothing is escaped but for JSON. */
    json_writer_init(&text, uri, sizeof uri);
    json_writer_raw(&text, call->context->url);
    json_writer_raw(&text, "/");
    json_writer_raw(&text, call->claims.prefix);
    json_writer_raw(&text, "/");
    json_writer_raw(&text, call->claims.topic);
    json_writer_raw(&text, "?code=");
    json_writer_raw(&text, code);
    json_writer_init(&json, reply->body, sizeof reply->body);
    json_writer_raw(&json, "{\"uri\":");
    json_writer_text(&json, uri);
    json_writer_raw(&json, "}\n");
    reply->status = 200;
    reply->content_type = "application/json";
    reply->body_len = json.len;
    bytes_wipe(uri, sizeof uri);
}

/* Before a code is given: one that was given is good for its time. */
static void refuse_full(const struct access_call *call, struct access_reply *reply)
{
    uint64_t after_ms = code_store_room_after_ms(call->context->codes, call->now_ms);

    counters_increment(call->counters, codes_refused_full);
    alarms_raise(call->alarms, ALARM_CODES, call->now_ms);
    access_reply_error(reply, 503, "too many unused codes, try again later");
    access_reply_retry_after(reply, after_ms);
}

static void refuse_crowded(const struct access_call *call, struct access_reply *reply)
{
    counters_increment(call->counters, places_refused);
    alarms_raise(call->alarms, ALARM_PLACES, call->now_ms);
    access_reply_error(reply, 503, PLACES_CROWDED);
    access_reply_retry_after(reply, PLACES_RETRY_MS);
}

static bool may_have_code(const struct access_call *call, struct access_reply *reply)
{
    const char *reason = refusal(call);

    if (reason != NULL) {
        access_reply_string(reply, 401, reason);
        return false;
    }
    if (call->claims.booking_id[0] == '\0' && !call->context->allow_no_booking_id) {
        access_reply_error(reply, 400, "empty bookingID field is not permitted");
        return false;
    }
    return true;
}

static void give(struct access_call *call, struct access_reply *reply,
                 const struct permission *permission, const struct grant *grant)
{
    counters_increment(call->counters, sessions_granted);
    reply_uri(call, grant->code, reply);
    if (grant->is_new) {
        reply->action = ACCESS_ACTION_NOTE;
        reply->exp_s = permission->exp_s;
        memcpy(reply->booking_id, permission->booking_id, sizeof reply->booking_id);
    }
}

void session_post(struct access_call *call, struct access_reply *reply)
{
    struct permission permission;
    struct grant grant;
    unsigned retry_ms;
    const char *reason = access_reason_to_wait(call->context, &retry_ms);

    if (reason != NULL) {
        access_reply_error(reply, 503, reason);
        access_reply_retry_after(reply, retry_ms);
        return;
    }
    if (!may_have_code(call, reply)) {
        counters_increment(call->counters, sessions_refused);
        return;
    }
    permission_from_claims(&permission, &call->claims);
    if (places_look(call->context->places, &permission) != 0) {
        refuse_crowded(call, reply);
        return;
    }
    int failed =
        bookings_grant(call->context->bookings, &permission, call->now_ms, call->now_s, &grant);

    if (failed == -EACCES) {
        counters_increment(call->counters, sessions_refused);
        access_reply_error(
            reply, 400,
            "bookingID has been deny-listed, probably because the session was cancelled");
    } else if (failed != 0) {
        refuse_full(call, reply);
    } else {
        give(call, reply, &permission, &grant);
        bytes_wipe(&grant, sizeof grant);
    }
}
