#include "server/websocket/v1/renewal.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/websocket/deadlines.h"
#include "server/websocket/phase_websocket.h"

static bool verify(const struct conn *conn, struct bytes token, struct token_claims *ret_claims)
{
    const struct access_context *access = &conn->table->shared->access;
    struct token_keys *keys = token_keys_slot_get(access->keys);
    enum token_result result = token_verify(keys, token, clock_wall_s(), ret_claims);

    token_keys_unref(keys);
    return result == TOKEN_OK && token_claims_have_audience(ret_claims, access->audience);
}

static bool is_same(const struct phase_websocket *ws, const struct permission *permission)
{
    return permission->is_session && permission->can_read == ws->can_read &&
           permission->can_write == ws->can_write &&
           strcmp(permission->topic, ws->topic->name) == 0 &&
           strcmp(permission->booking_id, ws->booking_id) == 0 &&
           strcmp(permission->scopes_json, ws->scopes_json) == 0;
}

static enum relay_v1_expiry_result judge(const struct conn *conn, struct bytes token,
                                         struct permission *ret_permission)
{
    const struct phase_websocket *ws = phase_websocket_seen(conn);
    struct token_claims claims;

    if (!verify(conn, token, &claims)) {
        return RELAY_V1_EXPIRY_INVALID;
    }
    permission_from_claims(ret_permission, &claims);
    if (!is_same(ws, ret_permission)) {
        return RELAY_V1_EXPIRY_OTHER;
    }
    return bookings_is_denied(conn->table->shared->access.bookings, ws->booking_id, clock_wall_s())
               ? RELAY_V1_EXPIRY_DENIED
               : RELAY_V1_EXPIRY_RENEWED;
}

enum relay_v1_expiry_result renewal_take(struct conn *conn, struct bytes token)
{
    struct phase_websocket *ws = phase_websocket_of(conn);
    struct permission permission;
    enum relay_v1_expiry_result result = judge(conn, token, &permission);

    if (result != RELAY_V1_EXPIRY_RENEWED) {
        counters_increment(&conn->worker->counters, v1_renewals_refused);
        return result;
    }
    ws->exp_s = permission.exp_s;
    deadlines_renew(conn);
    counters_increment(&conn->worker->counters, v1_renewed);
    log_info("token renewed", LOG_TEXT("topic", ws->topic->name),
             LOG_TEXT("booking_id", ws->booking_id), LOG_INT("expires_at", ws->exp_s));
    return result;
}
