#include "server/access/routes.h"

#include <stdio.h>
#include <string.h>

static const struct route routes[] = {
    {"POST", "/session/*", session_post, false},
    {"POST", "/bids/deny", bids_deny_post, false},
    {"GET", "/bids/deny", bids_deny_get, false},
    {"POST", "/bids/allow", bids_allow_post, false},
    {"GET", "/bids/allow", bids_allow_get, false},
    {"GET", "/status", status_get, false},
    {"GET", "/docs", docs_get, true},
    {"GET", "/swagger.json", swagger_get, true},
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
