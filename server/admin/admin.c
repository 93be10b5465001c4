#include "server/admin/admin.h"

#include <string.h>

#include "base/attributes.h"
#include "base/check.h"
#include "embedded/admin_page.h"
#include "embedded/admin_script.h"
#include "embedded/admin_style.h"
#include "server/access/routes.h"
#include "server/admin/admin_guard.h"
#include "wire/request_target.h"

typedef void admin_handler(struct conn *conn, struct access_call *call, struct access_reply *reply);

static void page_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    access_reply_field(reply, "Content-Security-Policy",
                       "default-src 'none'; script-src 'self'; style-src 'self'; "
                       "connect-src 'self'; base-uri 'none'; form-action 'none'; "
                       "frame-ancestors 'none'");
    access_reply_copy(reply, "text/html; charset=utf-8", admin_page, sizeof admin_page);
}

static void script_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    access_reply_copy(reply, "text/javascript; charset=utf-8", admin_script, sizeof admin_script);
}

static void style_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    access_reply_copy(reply, "text/css; charset=utf-8", admin_style, sizeof admin_style);
}

static void admin_status_get(struct conn *conn, struct access_call *call,
                             struct access_reply *reply)
{
    access_reply_empty(reply, 200);
    reply->action = ACCESS_ACTION_STATUS;
}

/* The listener stands for the token that a client of the access API would have. */
static void become_administrator(struct access_call *call)
{
    memcpy(call->claims.booking_id, "admin listener", sizeof "admin listener");
    CHECK(token_claims_add_scope(&call->claims, "relay:admin"));
}

static void deny_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    become_administrator(call);
    bids_deny_get(call, reply);
}

static void allow_get(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    become_administrator(call);
    bids_allow_get(call, reply);
}

static void deny_post(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    become_administrator(call);
    bids_deny_post(call, reply);
}

static void allow_post(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    become_administrator(call);
    bids_allow_post(call, reply);
}

static const struct admin_route {
    const char *path;
    admin_handler *get, *post;
    bool is_open; /* for probes by any name of this machine */
} routes[] = {
    {.path = "/", .get = page_get},
    {.path = "/admin.js", .get = script_get},
    {.path = "/admin.css", .get = style_get},
    {.path = "/metrics", .get = admin_metrics_get},
    {.path = "/healthz", .get = admin_health_get, .is_open = true},
    {.path = "/readyz", .get = admin_ready_get, .is_open = true},
    {.path = "/config", .get = admin_config_get},
    {.path = "/topics", .get = admin_topics_get},
    {.path = "/status", .get = admin_status_get},
    {.path = "/bids/deny", .get = deny_get, .post = deny_post},
    {.path = "/bids/allow", .get = allow_get, .post = allow_post},
};

/* For all answers: nothing is kept, and no page of another origin may use them. */
static void add_fields(struct access_reply *reply)
{
    access_reply_field(reply, "Cache-Control", "no-store");
    access_reply_field(reply, "X-Content-Type-Options", "nosniff");
    access_reply_field(reply, "Cross-Origin-Resource-Policy", "same-origin");
    access_reply_field(reply, "Referrer-Policy", "no-referrer");
}

static const struct admin_route *find_route(struct access_call *call)
{
    struct bytes path;

    if (request_target_split(call->request->target, &path, &call->query) != 0) {
        return NULL;
    }
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (bytes_equal_text(path, routes[i].path)) {
            return &routes[i];
        }
    }
    return NULL;
}

static void dispatch(const struct admin_route *route, struct conn *conn, struct access_call *call,
                     struct access_reply *reply)
{
    const char *method = call->request->method;

    if (strcmp(method, "GET") == 0 || strcmp(method, "HEAD") == 0) {
        route->get(conn, call, reply);
    } else if (strcmp(method, "POST") != 0 || route->post == NULL) {
        access_reply_error(reply, 405, "method not allowed");
        access_reply_field(reply, "Allow", route->post == NULL ? "GET, HEAD" : "GET, HEAD, POST");
    } else if (!admin_guard_allows_change(call->request)) {
        access_reply_error(reply, 403,
                           "a change needs the field Relay-Admin: 1, and no other origin");
    } else {
        route->post(conn, call, reply);
    }
}

void admin_handle(struct conn *conn, struct access_call *call, struct access_reply *reply)
{
    const struct admin_route *route = find_route(call);

    access_reply_init(reply);
    add_fields(reply);
    if (access_answer_over(call->context, reply)) {
        return;
    }
    if (route == NULL) {
        access_reply_error(reply, 404, "not found");
    } else if (!route->is_open &&
               !admin_guard_allows_host(call->request, conn->table->shared->config->admin_hosts)) {
        access_reply_error(reply, 421,
                           "this name is not known to the admin listener: use an address or "
                           "localhost, or add the name to RELAY_ADMIN_HOSTS");
    } else {
        dispatch(route, conn, call, reply);
    }
}
