#include "server/access/access.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "base/check.h"
#include "base/json_writer.h"
#include "base/probe.h"
#include "server/access/auth.h"
#include "server/access/cors.h"
#include "server/access/routes.h"
#include "server/access/watch.h"
#include "wire/request_target.h"

static void finish(struct access_reply *reply, unsigned status, const struct json_writer *json,
                   const char *reason)
{
    snprintf(reply->reason, sizeof reply->reason, "%s", reason);
    reply->status = status;
    reply->content_type = "application/json";
    reply->body_len = json->len;
}

/* As the framework of today's relay does. */
static void write_html_safe_text(struct json_writer *json, const char *text)
{
    char plain[ACCESS_BODY_SIZE];
    struct json_writer quoted;

    json_writer_init(&quoted, plain, sizeof plain);
    json_writer_text(&quoted, text);
    json->overflow = json->overflow || quoted.overflow;
    json_writer_html_safe(json, bytes_of_text(plain));
}

static void write_framework(struct json_writer *json, struct access_reply *reply, int code,
                            const char *message)
{
    json_writer_init(json, reply->body, sizeof reply->body);
    json_writer_raw(json, "{\"code\":");
    json_writer_integer(json, code);
    json_writer_raw(json, ",\"message\":");
    write_html_safe_text(json, message);
    json_writer_raw(json, "}");
}

static void reply_with_code(struct access_reply *reply, unsigned status, int code,
                            const char *message, const char *reason)
{
    struct json_writer json;

    write_framework(&json, reply, code, message);
    if (json.overflow) {
        /* Escaping made more of it than fits; half a text would not be JSON. */
        write_framework(&json, reply, code, "too long to be repeated");
    }
    finish(reply, status, &json, reason);
}

/* message may repeat what was sent; reason may not: it goes into the log. */
static void reply_framework(struct access_reply *reply, unsigned status, const char *message,
                            const char *reason)
{
    reply_with_code(reply, status, (int)status, message, reason);
}

void access_reply_validation(struct access_reply *reply, int code, const char *message)
{
    reply_with_code(reply, 422, code, message, "bid or exp is missing or malformed");
}

void access_reply_empty(struct access_reply *reply, unsigned status)
{
    reply->status = status;
    reply->content_type = NULL;
    reply->body_len = 0;
}

void access_reply_long(struct access_reply *reply, unsigned status, const char *content_type,
                       char *body, size_t body_len)
{
    reply->status = status;
    reply->content_type = content_type;
    reply->long_body = body;
    reply->long_body_is_shared = false;
    reply->body_len = body_len;
}

void access_reply_copy(struct access_reply *reply, const char *content_type, const char *text,
                       size_t len)
{
    char *copy = malloc(len);

    if (copy == NULL) {
        access_reply_error(reply, 503, "out of memory");
        return;
    }
    memcpy(copy, text, len);
    access_reply_long(reply, 200, content_type, copy, len);
}

void access_reply_error(struct access_reply *reply, unsigned status, const char *message)
{
    struct json_writer json;

    json_writer_init(&json, reply->body, sizeof reply->body);
    json_writer_raw(&json, "{\"code\":\"");
    json_writer_integer(&json, status);
    json_writer_raw(&json, "\",\"message\":");
    json_writer_text(&json, message);
    json_writer_raw(&json, "}\n");
    finish(reply, status, &json, message);
}

void access_reply_string(struct access_reply *reply, unsigned status, const char *text)
{
    struct json_writer json;

    json_writer_init(&json, reply->body, sizeof reply->body);
    json_writer_text(&json, text);
    json_writer_raw(&json, "\n");
    finish(reply, status, &json, text);
}

void access_reply_field(struct access_reply *reply, const char *name, const char *value)
{
    size_t used = strlen(reply->fields);
    int len =
        snprintf(reply->fields + used, sizeof reply->fields - used, "%s: %s\r\n", name, value);

    CHECK(len > 0 && (size_t)len < sizeof reply->fields - used);
}

void access_reply_retry_after(struct access_reply *reply, uint64_t after_ms)
{
    char seconds[24];

    snprintf(seconds, sizeof seconds, "%" PRIu64, after_ms < 1000 ? 1 : (after_ms + 999) / 1000);
    access_reply_field(reply, "Retry-After", seconds);
    if (strstr(reply->fields, "Access-Control-Allow-Origin") != NULL) {
        /* Else a page of another origin could not see it. */
        access_reply_field(reply, "Access-Control-Expose-Headers", "Retry-After");
    }
}

static void reply_not_found(struct access_reply *reply, const char *path)
{
    char message[HTTP_TARGET_BYTES_MAX + 32];

    snprintf(message, sizeof message, "path %s was not found", path);
    reply_framework(reply, 404, message, "unknown path");
}

static void reply_wrong_method(const struct access_call *call, const struct route_match *match,
                               struct access_reply *reply)
{
    char message[128];

    snprintf(message, sizeof message, "method %s is not allowed, but [%s] are",
             call->request->method, match->allowed);
    reply_framework(reply, 405, message, "method not allowed");
    /* The message is as clients know it; the field also names the method that is implied. */
    snprintf(message, sizeof message, "%s%s", match->allowed,
             strstr(match->allowed, "GET") != NULL ? ",HEAD" : "");
    access_reply_field(reply, "Allow", message);
}

/* The type without parameters, as sent. */
static struct bytes media_type(struct bytes value)
{
    value.len = bytes_find(value, ';');
    return bytes_trim(value);
}

static bool check_body_type(const struct access_call *call, struct access_reply *reply)
{
    struct bytes type = bytes_of_text("application/octet-stream");
    char message[256];

    if (!call->request->has_body) {
        return true;
    }
    if (http_request_field(call->request, "Content-Type", &type)) {
        type = media_type(type);
    }
    if (bytes_equal_text_nocase(type, "application/json")) {
        return true;
    }
    snprintf(message, sizeof message,
             "unsupported media type \"%.*s\", only [application/json] are allowed",
             (int)(type.len > 100 ? 100 : type.len), (const char *)type.data);
    reply_framework(reply, 415, message, "type of the body not accepted");
    return false;
}

/* One type, all of its kind, or all. */
static bool range_allows(struct bytes range, const char *type)
{
    size_t kind_len = bytes_find(bytes_of_text(type), '/') + 1;

    return bytes_equal_text_nocase(range, "*/*") || bytes_equal_text_nocase(range, type) ||
           (range.len == kind_len + 1 && range.data[kind_len] == '*' &&
            strncasecmp((const char *)range.data, type, kind_len) == 0);
}

static bool list_allows(struct bytes accept, const char *type)
{
    while (accept.len > 0) {
        struct bytes one = bytes_of(accept.data, bytes_find(accept, ','));

        accept = bytes_skip(accept, one.len + 1);
        if (range_allows(media_type(one), type)) {
            return true;
        }
    }
    return false;
}

/* Several fields of the name are one list (RFC 9110 §5.3). */
bool access_accepts(const struct http_request *request, const char *type)
{
    bool is_sent = false;

    for (unsigned i = 0; i < request->fields_count; i++) {
        const struct http_field *field = &request->fields[i];

        if (!bytes_equal_text_nocase(field->name, "Accept")) {
            continue;
        }
        if (list_allows(field->value, type)) {
            return true;
        }
        is_sent = true;
    }
    return !is_sent;
}

static bool check_accept(const struct access_call *call, struct access_reply *reply)
{
    if (call->route->kind != ROUTE_JSON || access_accepts(call->request, "application/json")) {
        return true;
    }
    reply_framework(reply, 406,
                    "unsupported media type requested, only [application/json] are available",
                    "no answer of a type that Accept allows");
    return false;
}

static bool authenticate(struct access_call *call, struct access_reply *reply)
{
    struct auth_refusal refusal;

    refusal.reason = "";
    bool is_right = auth_check(call, &refusal);

    PROBE2(authorise, (int)is_right, refusal.reason);
    if (is_right) {
        return true;
    }
    counters_increment(call->counters, sessions_refused);
    reply_framework(reply, 401, refusal.message, refusal.reason);
    return false;
}

void access_reply_init(struct access_reply *reply)
{
    reply->action = ACCESS_ACTION_NONE;
    reply->booking_id[0] = '\0';
    reply->exp_s = 0;
    reply->topic[0] = '\0';
    reply->pictures = 0;
    reply->long_body = NULL;
    reply->long_body_is_shared = false;
    reply->status = 0;
    reply->content_type = NULL;
    reply->body_len = 0;
    reply->fields[0] = '\0';
    reply->reason[0] = '\0';
}

/* False: refused. */
static bool find_route(struct access_call *call, struct access_reply *reply)
{
    char path[HTTP_TARGET_BYTES_MAX + 1];
    struct bytes raw_path;
    struct route_match match;

    if (request_target_split(call->request->target, &raw_path, &call->query) != 0 ||
        request_target_clean_path(raw_path, path, sizeof path) != 0) {
        reply_framework(reply, 400, "request target is malformed", "malformed path");
        return false;
    }
    if (strcmp(path, WATCH_PATH) == 0 && !call->context->watch_page) {
        reply_not_found(reply, path);
        return false;
    }
    switch (routes_find(call->request->method, path, &match)) {
    case ROUTE_NOT_FOUND:
        reply_not_found(reply, path);
        return false;
    case ROUTE_WRONG_METHOD:
        reply_wrong_method(call, &match, reply);
        return false;
    case ROUTE_FOUND:
        break;
    }
    call->route = match.route;
    call->has_parameter =
        request_target_decode(match.parameter, call->parameter, sizeof call->parameter) == 0 &&
        call->parameter[0] != '\0';
    return true;
}

const char *access_reason_to_wait(const struct access_context *context, unsigned *ret_retry_ms)
{
    if (atomic_load(&context->is_over)) {
        *ret_retry_ms = ACCESS_OVER_RETRY_MS;
        return ACCESS_OVER;
    }
    *ret_retry_ms = ACCESS_DRAINING_RETRY_MS;
    return atomic_load(&context->is_draining) ? ACCESS_DRAINING : NULL;
}

bool access_answer_over(const struct access_context *context, struct access_reply *reply)
{
    if (!atomic_load(&context->is_over)) {
        return false;
    }
    access_reply_error(reply, 503, ACCESS_OVER);
    access_reply_retry_after(reply, ACCESS_OVER_RETRY_MS);
    return true;
}

void access_handle(struct access_call *call, struct access_reply *reply)
{
    const char *cors_origins = call->context->cors_origins;

    access_reply_init(reply);
    if (access_answer_over(call->context, reply)) {
        return;
    }
    cors_fields(cors_origins, call->request, reply->fields, sizeof reply->fields);
    if (cors_is_preflight(cors_origins, call->request, reply->fields, sizeof reply->fields)) {
        access_reply_empty(reply, 204);
        return;
    }
    if (find_route(call, reply) && (call->route->kind == ROUTE_PUBLIC ||
                                    (authenticate(call, reply) && check_body_type(call, reply) &&
                                     check_accept(call, reply)))) {
        call->route->handle(call, reply);
    }
}
