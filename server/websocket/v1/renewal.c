#include "server/websocket/v1/renewal.h"

#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "server/bookings/booking_note.h"
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
           strcmp(permission->booking_id, ws->identity.booking_id) == 0 &&
           strcmp(permission->scopes_json, ws->identity.scopes_json) == 0;
}

/* False: the worker has verified as many as it may for now. */
static bool budget_take(struct conn_table *table)
{
    uint64_t now_ms = table->worker->now_ms;
    uint64_t returned = (now_ms - table->renewals_ms) * RENEWALS_PER_SECOND / 1000;

    if (returned > 0) {
        table->renewals_spent -=
            returned < table->renewals_spent ? (uint32_t)returned : table->renewals_spent;
        table->renewals_ms = now_ms;
    }
    if (table->renewals_spent >= RENEWALS_BURST) {
        return false;
    }
    table->renewals_spent++;
    return true;
}

static enum relay_v1_expiry_result judge(const struct conn *conn, struct bytes token,
                                         struct permission *ret_permission)
{
    struct token_claims claims;

    if (!verify(conn, token, &claims)) {
        return RELAY_V1_EXPIRY_INVALID;
    }
    permission_from_claims(ret_permission, &claims);
    return is_same(phase_websocket_seen(conn), ret_permission) ? RELAY_V1_EXPIRY_RENEWED
                                                               : RELAY_V1_EXPIRY_OTHER;
}

/* In the list of bookings, and on disk. */
static enum relay_v1_expiry_result extend_booking(struct conn *conn, int64_t exp_s)
{
    const struct conn_shared *shared = conn->table->shared;
    const char *booking_id = phase_websocket_seen(conn)->identity.booking_id;
    bool is_new;

    if (bookings_extend(shared->access.bookings, booking_id, exp_s, clock_wall_s(), &is_new) != 0) {
        return RELAY_V1_EXPIRY_DENIED;
    }
    if (is_new) {
        booking_note(conn->worker, shared->store, booking_id, exp_s);
    }
    return RELAY_V1_EXPIRY_RENEWED;
}

/* A token that ends sooner changes nothing: a program may be given its tokens in any order. */
static void extend_connection(struct conn *conn, int64_t exp_s)
{
    struct phase_websocket *ws = phase_websocket_of(conn);

    if (exp_s > ws->exp_s) {
        ws->exp_s = exp_s;
        deadlines_renew(conn);
    }
    counters_increment(&conn->worker->counters, v1_renewed);
    log_info("token renewed", LOG_TEXT("topic", ws->topic->name),
             LOG_TEXT("booking_id", ws->identity.booking_id), LOG_INT("expires_at", ws->exp_s));
}

enum relay_v1_expiry_result renewal_take(struct conn *conn, struct bytes token)
{
    struct permission permission;

    if (!budget_take(conn->table)) {
        counters_increment(&conn->worker->counters, v1_renewals_put_off);
        return RELAY_V1_EXPIRY_TOO_OFTEN;
    }
    enum relay_v1_expiry_result result = judge(conn, token, &permission);

    if (result == RELAY_V1_EXPIRY_RENEWED) {
        result = extend_booking(conn, permission.exp_s);
    }
    if (result == RELAY_V1_EXPIRY_RENEWED) {
        extend_connection(conn, permission.exp_s);
    } else {
        counters_increment(&conn->worker->counters, v1_renewals_refused);
    }
    return result;
}
