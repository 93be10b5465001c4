#include "server/http/audit.h"

#include <stdio.h>

#include "server/access/routes.h"

enum { REQUEST_SIZE = 64 };

static bool may_log(const struct audit *audit, uint32_t *ret_suppressed)
{
    if (!log_enabled(LOG_LEVEL_INFO)) {
        return false;
    }
    if (!log_limit_allow(audit->limit, audit->now_ms, ret_suppressed)) {
        counters_increment(audit->counters, refusals_unlogged);
        return false;
    }
    return true;
}

static void log_request(const struct audit *audit, const char *request, unsigned status,
                        const char *reason, const struct token_claims *claims)
{
    uint32_t suppressed;

    if (!may_log(audit, &suppressed)) {
        return;
    }
    log_info("request refused", LOG_TEXT("request", request), LOG_INT("status", status),
             LOG_TEXT("reason", reason), LOG_TEXT("topic", claims == NULL ? "" : claims->topic),
             LOG_TEXT("booking_id", claims == NULL ? "" : claims->booking_id),
             LOG_TEXT("remote_addr", audit->client.address),
             LOG_TEXT("user_agent", audit->client.user_agent), LOG_INT("suppressed", suppressed));
}

void audit_malformed(const struct audit *audit, unsigned status, const char *reason)
{
    log_request(audit, "", status, reason, NULL);
}

void audit_request_refused(const struct audit *audit, const struct access_call *call,
                           const struct access_reply *reply)
{
    char request[REQUEST_SIZE] = "";

    /* The route's own text: a path may hold anything. */
    if (call->route != NULL) {
        snprintf(request, sizeof request, "%s %s", call->route->method, call->route->path);
    }
    log_request(audit, request, reply->status, reply->reason, &call->claims);
}

void audit_upgrade_refused(const struct audit *audit, const struct admission *admission)
{
    const struct permission *permission = &admission->permission;
    uint32_t suppressed;

    if (!may_log(audit, &suppressed)) {
        return;
    }
    log_info("new connection rejected", LOG_TEXT("reason", admission->reason),
             LOG_INT("status", admission->status), LOG_TEXT("topic", permission->topic),
             LOG_TEXT("booking_id", permission->booking_id),
             LOG_JSON("scopes", admission->has_permission ? permission->scopes_json : "[]"),
             LOG_TEXT("remote_addr", audit->client.address),
             LOG_TEXT("user_agent", audit->client.user_agent), LOG_INT("suppressed", suppressed));
}
