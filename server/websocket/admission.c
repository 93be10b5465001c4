#include "server/websocket/admission.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "wire/request_target.h"
#include "wire/subprotocol/relay_v1.h"
#include "wire/ws_upgrade.h"

enum { CODE_TEXT_SIZE = 128 };

static void refuse(struct admission *admission, unsigned status, const char *reason)
{
    admission->status = status;
    admission->reason = reason;
}

/* True when the path is clean or "clean/"; otherwise a redirect to the clean one, as Go's ServeMux.
 */
static bool check_clean(struct bytes path, struct bytes query, struct admission *admission)
{
    char clean[HTTP_TARGET_BYTES_MAX + 1];

    if (request_target_clean_path(path, clean, sizeof clean) != 0) {
        refuse(admission, 400, "malformed path");
        return false;
    }
    if (path.len > 1 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    if (bytes_equal_text(path, clean)) {
        return true;
    }
    refuse(admission, 301, "path is not clean");
    char reference[HTTP_TARGET_BYTES_MAX + 2];
    int len = snprintf(reference, sizeof reference, "%s%s%.*s", clean, query.len > 0 ? "?" : "",
                       (int)query.len, query.len > 0 ? (const char *)query.data : "");

    CHECK(len > 0 && (size_t)len < sizeof reference); /* no longer than the target */
    if (request_target_escape(bytes_of_text(reference), admission->location,
                              sizeof admission->location) != 0) {
        refuse(admission, 414, "path is not clean and too long to be redirected");
    }
    bytes_wipe(reference, (size_t)len);
    return false;
}

/* The part behind /session/, without one trailing slash. */
static bool topic_of(struct bytes path, struct bytes *ret_topic)
{
    static const char prefix[] = "/session/";

    if (!bytes_start_with(path, prefix)) {
        return false;
    }
    path = bytes_skip(path, sizeof prefix - 1);
    if (path.len > 0 && path.data[path.len - 1] == '/') {
        path.len--;
    }
    *ret_topic = path;
    return path.len > 0;
}

/* A client that knows relay.v1 wants it, whatever it offers beside it for other servers. */
static bool choose_v1(enum access_subprotocols subprotocols, const struct http_request *request,
                      struct admission *admission)
{
    if (subprotocols == ACCESS_SUBPROTOCOLS_NONE || !ws_upgrade_offers(request, RELAY_V1_NAME)) {
        return false;
    }
    admission->subprotocol = bytes_of_text(RELAY_V1_NAME);
    admission->is_v1 = true;
    return true;
}

/* Old players ask for the subprotocol "null" and want it echoed; other clients close a WebSocket
 * that has none of those they offered (RFC 6455 §4.1). */
static bool choose_subprotocol(enum access_subprotocols subprotocols,
                               const struct http_request *request, struct admission *admission)
{
    if (choose_v1(subprotocols, request, admission)) {
        return true;
    }
    switch (subprotocols) {
    case ACCESS_SUBPROTOCOLS_NULL:
        if (ws_upgrade_offers(request, "null")) {
            admission->subprotocol = bytes_of_text("null");
        }
        break;
    case ACCESS_SUBPROTOCOLS_FIRST:
        ws_upgrade_first_offer(request, &admission->subprotocol);
        break;
    case ACCESS_SUBPROTOCOLS_NONE:
        break;
    }
    if (admission->subprotocol.len > SUBPROTOCOL_BYTES_MAX) {
        refuse(admission, 400, "subprotocol too long");
        return false;
    }
    return true;
}

static bool check_upgrade(enum access_subprotocols subprotocols, const struct http_request *request,
                          struct admission *admission)
{
    switch (ws_upgrade_check(request)) {
    case WS_UPGRADE_OK:
        return choose_subprotocol(subprotocols, request, admission);
    case WS_UPGRADE_NOT_ASKED:
        refuse(admission, 400, "not an upgrade");
        return false;
    case WS_UPGRADE_BAD_METHOD:
        refuse(admission, 405, "upgrade without GET");
        return false;
    case WS_UPGRADE_BAD_VERSION:
        refuse(admission, 400, "unsupported WebSocket version");
        return false;
    case WS_UPGRADE_BAD_KEY:
        refuse(admission, 400, "bad Sec-WebSocket-Key");
        return false;
    }
    return false;
}

/* The token's topic may stand in the path as it is or percent-encoded. */
static bool topic_matches(struct bytes path_topic, const char *topic)
{
    char decoded[TOKEN_TEXT_SIZE];

    return bytes_equal_text(path_topic, topic) ||
           (request_target_decode(path_topic, decoded, sizeof decoded) == 0 &&
            strcmp(decoded, topic) == 0);
}

static void judge(const struct permission *permission, struct bytes topic, int64_t now_s,
                  struct admission *admission)
{
    if (permission->nbf_s > now_s + TOKEN_LEEWAY_S) {
        refuse(admission, 401, "too early");
    } else if (!permission->is_session) {
        /* Its address has another prefix, which is 404: changing the path must not help. */
        refuse(admission, 403, "code is for another prefix");
    } else if (!topic_matches(topic, permission->topic)) {
        refuse(admission, 403, "code is for another topic");
    } else if (permission->exp_s <= now_s) {
        refuse(admission, 401, "token expired");
    } else if (!permission->can_read && !permission->can_write) {
        refuse(admission, 403, "no valid scopes in token");
    } else {
        admission->status = 101;
    }
}

static bool redeem_code(const struct access_context *context, struct bytes query, uint64_t now_ms,
                        struct admission *admission)
{
    char code[CODE_TEXT_SIZE];

    if (request_target_query_value(query, "code", QUERY_FIRST, code, sizeof code) != 0 ||
        code[0] == '\0') {
        refuse(admission, 401, "no code");
        return false;
    }
    int failed =
        code_store_take(context->codes, bytes_of_text(code), now_ms, &admission->permission);

    bytes_wipe(code, sizeof code);
    if (failed != 0) {
        refuse(admission, 401, "invalid code");
        return false;
    }
    admission->has_permission = true;
    return true;
}

void admission_check(const struct access_context *context, const struct http_request *request,
                     uint64_t now_ms, int64_t now_s, struct admission *ret_admission)
{
    struct bytes path, query, topic;
    unsigned retry_ms;

    *ret_admission = (struct admission){0};
    if (request_target_split(request->target, &path, &query) != 0) {
        refuse(ret_admission, 400, "malformed path");
        return;
    }
    if (!check_clean(path, query, ret_admission)) {
        return;
    }
    if (!topic_of(path, &topic)) {
        refuse(ret_admission, 404, "unknown path");
        return;
    }
    if (!check_upgrade(context->subprotocols, request, ret_admission)) {
        return;
    }
    const char *reason = access_reason_to_wait(context, &retry_ms);

    if (reason != NULL) {
        refuse(ret_admission, 503, reason);
        return;
    }
    if (!redeem_code(context, query, now_ms, ret_admission)) {
        return;
    }
    ret_admission->wishes = wishes_of(query);
    judge(&ret_admission->permission, topic, now_s, ret_admission);
    /* A denial after this look reaches the connection as a letter, when it is open. */
    if (ret_admission->status == 101 &&
        bookings_is_denied(context->bookings, ret_admission->permission.booking_id, now_s)) {
        refuse(ret_admission, 403, "booking is denied");
    }
    if (ret_admission->status == 101 &&
        places_take(context->places, &ret_admission->permission) != 0) {
        refuse(ret_admission, 503, PLACES_CROWDED);
    }
}

/* The reason why it holds no more, or NULL. A denial after this look reaches the connection as a
 * letter, if it is open at the end of the turn. */
static const char *judge_again(const struct access_context *context,
                               const struct permission *permission, int64_t now_s,
                               unsigned *ret_status)
{
    unsigned retry_ms;
    const char *reason = access_reason_to_wait(context, &retry_ms);

    if (reason != NULL) {
        *ret_status = 503;
        return reason;
    }
    if (permission->exp_s <= now_s) {
        *ret_status = 401;
        return "token expired";
    }
    *ret_status = 403;
    return bookings_is_denied(context->bookings, permission->booking_id, now_s)
               ? "booking is denied"
               : NULL;
}

bool admission_holds(const struct access_context *context, const struct admission *admission,
                     int64_t now_s)
{
    unsigned status;

    return judge_again(context, &admission->permission, now_s, &status) == NULL;
}

bool admission_check_again(const struct access_context *context, struct admission *admission,
                           int64_t now_s)
{
    unsigned status;
    const char *reason = judge_again(context, &admission->permission, now_s, &status);

    if (reason != NULL) {
        admission_undo(context, admission);
        refuse(admission, status, reason);
    }
    return reason == NULL;
}

void admission_undo(const struct access_context *context, const struct admission *admission)
{
    CHECK(admission->status == 101);
    places_give(context->places, admission->permission.booking_id, admission->permission.topic);
}
