#include "server/access/routes.h"

#include <stdio.h>
#include <string.h>

#include "server/access/snapshot.h"
#include "server/access/watch.h"

static const struct route routes[] = {
    {"POST", "/session/*", session_post, ROUTE_JSON},
    {"POST", "/bids/deny", bids_deny_post, ROUTE_JSON},
    {"GET", "/bids/deny", bids_deny_get, ROUTE_JSON},
    {"POST", "/bids/allow", bids_allow_post, ROUTE_JSON},
    {"GET", "/bids/allow", bids_allow_get, ROUTE_JSON},
    {"GET", "/status", status_get, ROUTE_JSON},
    {"GET", "/snapshot/*", snapshot_get, ROUTE_PICTURES},
    {"GET", WATCH_PATH, watch_get, ROUTE_PUBLIC},
    {"GET", "/docs", docs_get, ROUTE_PUBLIC},
    {"GET", "/swagger.json", swagger_get, ROUTE_PUBLIC},
    {"GET", "/openapi.json", docs_openapi_get, ROUTE_PUBLIC},
};

static bool path_matches(const char *pattern, const char *path, struct bytes *ret_parameter)
{
    size_t len = strlen(pattern);

    *ret_parameter = bytes_of(NULL, 0);
    if (pattern[len - 1] != '*') {
        return strcmp(pattern, path) == 0;
    }
    if (strncmp(pattern, path, len - 1) != 0) {
        return false;
    }
    *ret_parameter = bytes_of_text(path + len - 1);
    return ret_parameter->len > 0 && bytes_find(*ret_parameter, '/') == ret_parameter->len;
}

static void allow(struct route_match *match, const char *method)
{
    size_t used = strlen(match->allowed);

    snprintf(match->allowed + used, sizeof match->allowed - used, "%s%s", used == 0 ? "" : ",",
             method);
}

/* HEAD is served where GET is (RFC 9110 §9.1). */
static bool method_matches(const struct route *route, const char *method)
{
    return strcmp(route->method, method) == 0 ||
           (strcmp(method, "HEAD") == 0 && strcmp(route->method, "GET") == 0);
}

enum route_result routes_find(const char *method, const char *path, struct route_match *ret_match)
{
    struct bytes parameter;

    *ret_match = (struct route_match){0};
    for (size_t i = 0; i < ARRAY_LENGTH(routes); i++) {
        if (!path_matches(routes[i].path, path, &parameter)) {
            continue;
        }
        if (method_matches(&routes[i], method)) {
            ret_match->route = &routes[i];
            ret_match->parameter = parameter;
            return ROUTE_FOUND;
        }
        allow(ret_match, routes[i].method);
    }
    return ret_match->allowed[0] == '\0' ? ROUTE_NOT_FOUND : ROUTE_WRONG_METHOD;
}
