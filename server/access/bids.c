/* /bids/deny and /bids/allow: bookings are cancelled, and taken back, by their id. */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "server/access/routes.h"
#include "server/bookings/bookings.h"
#include "wire/request_target.h"

enum { CODE_REQUIRED = 602, CODE_WRONG_TYPE = 601 };

static bool check_admin(const struct access_call *call, const char *refusal,
                        struct access_reply *reply)
{
    if (token_claims_have_scope(&call->claims, "relay:admin")) {
        return true;
    }
    access_reply_error(reply, 401, refusal);
    return false;
}

static int parse_int64(const char *text, int64_t *ret_value)
{
    char *end;

    errno = 0;
    long long value = strtoll(text, &end, 10);

    if (errno != 0 || end == text || *end != '\0' || text[0] == ' ' || text[0] == '+') {
        return -EINVAL;
    }
    *ret_value = value;
    return 0;
}

static bool take_booking(const struct access_call *call, struct access_reply *reply)
{
    int failed = request_target_query_value(call->query, "bid", QUERY_LAST, reply->booking_id,
                                            sizeof reply->booking_id);

    if (failed == -ENOSPC) {
        access_reply_validation(reply, CODE_WRONG_TYPE, "bid in query is too long");
        return false;
    }
    if (failed != 0 || reply->booking_id[0] == '\0') {
        access_reply_validation(reply, CODE_REQUIRED, "bid in query is required");
        return false;
    }
    return true;
}

static bool take_expiry(const struct access_call *call, struct access_reply *reply)
{
    char text[128] = "";
    char message[256];
    int failed = request_target_query_value(call->query, "exp", QUERY_LAST, text, sizeof text);

    if (failed == -ENOENT || (failed == 0 && text[0] == '\0')) {
        access_reply_validation(reply, CODE_REQUIRED, "exp in query is required");
        return false;
    }
    if (failed != 0 || parse_int64(text, &reply->exp_s) != 0) {
        snprintf(message, sizeof message, "exp in query must be of type int64: \"%s\"",
                 failed == 0 ? text : "");
        access_reply_validation(reply, CODE_WRONG_TYPE, message);
        return false;
    }
    return true;
}

static bool take_parameters(const struct access_call *call, struct access_reply *reply)
{
    return take_booking(call, reply) && take_expiry(call, reply);
}

void bids_deny_post(struct access_call *call, struct access_reply *reply)
{
    char message[128];

    if (!take_parameters(call, reply) ||
        !check_admin(call, "is token missing relay:admin scope? missing relay:admin Scope",
                     reply)) {
        return;
    }
    if (reply->exp_s < call->now_s) {
        snprintf(message, sizeof message,
                 "booking expiry time (exp) of [%lld] missing or in the past",
                 (long long)reply->exp_s);
        access_reply_error(reply, 400, message);
        return;
    }
    int failed =
        bookings_deny(call->context->bookings, reply->booking_id, reply->exp_s, call->now_s);

    counters_increment(call->counters, bookings_denied);
    access_reply_empty(reply, 204);
    if (failed != 0) {
        counters_increment(call->counters, denials_refused_full);
        alarms_raise(call->alarms, ALARM_BOOKINGS, call->now_ms);
        access_reply_error(reply, 503,
                           "too many denied bookings: connections were cut, but the booking "
                           "is not remembered");
    }
    reply->action = ACCESS_ACTION_DENY;
}

void bids_allow_post(struct access_call *call, struct access_reply *reply)
{
    if (!take_parameters(call, reply) ||
        !check_admin(call, "token missing relay:admin scope", reply)) {
        return;
    }
    if (reply->exp_s < call->now_s) {
        access_reply_error(reply, 400, "exp (booking expiry time) missing or in the past");
        return;
    }
    bookings_allow(call->context->bookings, reply->booking_id, reply->exp_s, call->now_s);
    counters_increment(call->counters, bookings_allowed);
    access_reply_empty(reply, 204);
    reply->action = ACCESS_ACTION_ALLOW;
}

struct listing {
    FILE *stream;
    const char *separator;
};

static void write_entry(const char *booking_id, int64_t exp_s, void *context)
{
    struct listing *listing = context;
    char text[TOKEN_TEXT_SIZE * 6 + 3];
    struct json_writer json;

    json_writer_init(&json, text, sizeof text);
    json_writer_text(&json, booking_id);
    fprintf(listing->stream, "%s%s", listing->separator, text);
    listing->separator = ",";
}

static void reply_list(struct access_call *call, enum booking_list list, struct access_reply *reply)
{
    if (!check_admin(call, "token missing relay:admin scope", reply)) {
        return;
    }
    char *body = NULL;
    size_t body_len = 0;
    struct listing listing = {.stream = open_memstream(&body, &body_len), .separator = ""};

    if (listing.stream == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    fprintf(listing.stream, "{\"booking_ids\":[");
    bookings_for_each(call->context->bookings, list, call->now_s, write_entry, &listing);
    fprintf(listing.stream, "]}\n");
    fclose(listing.stream);
    access_reply_long(reply, 200, "application/json", body, body_len);
}

void bids_deny_get(struct access_call *call, struct access_reply *reply)
{
    reply_list(call, BOOKINGS_DENIED, reply);
}

void bids_allow_get(struct access_call *call, struct access_reply *reply)
{
    reply_list(call, BOOKINGS_ALLOWED, reply);
}
