#include "host/http/route.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "wire/request_target.h"

enum { PATH_SIZE = 8192 };

static bool is_name(const char *text)
{
    static const char allowed[] =
        "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789/-";

    return text[0] != '\0' && text[strspn(text, allowed)] == '\0';
}

static void set(struct route *route, enum route_kind kind, const char *name)
{
    route->kind = kind;
    if (snprintf(route->name, sizeof route->name, "%s", name) >= (int)sizeof route->name) {
        route->kind = ROUTE_NOT_FOUND;
    }
}

/* The rules of one kind, below a folder: their four routes. */
struct rules_routes {
    const char *folder;
    enum route_kind put, list, get, delete_one, delete_all;
};

static bool is_put(const char *method)
{
    return strcmp(method, "POST") == 0 || strcmp(method, "PUT") == 0 ||
           strcmp(method, "UPDATE") == 0;
}

/* A name to delete may be anything, so that every rule can be deleted. */
static void find_delete(const struct rules_routes *rules, const char *name, struct route *route)
{
    bool is_all = strcmp(name, "all") == 0 || strcmp(name, "deleteAll") == 0;

    set(route, is_all ? rules->delete_all : rules->delete_one, name);
}

static void find_below(const struct rules_routes *rules, const char *method, const char *name,
                       struct route *route)
{
    if (strcmp(method, "DELETE") == 0) {
        find_delete(rules, name, route);
    } else if (!is_name(name)) {
        route->kind = ROUTE_NOT_FOUND;
    } else if (strcmp(method, "GET") != 0) {
        route->kind = ROUTE_WRONG_METHOD;
    } else {
        set(route, strcmp(name, "all") == 0 ? rules->list : rules->get, name);
    }
}

/* False: the path is not in the folder. */
static bool find_rules(const struct rules_routes *rules, const char *method, const char *path,
                       struct route *route)
{
    size_t len = strlen(rules->folder);

    if (strncmp(path, rules->folder, len) != 0) {
        return false;
    }
    if (path[len] == '/') {
        find_below(rules, method, path + len + 1, route);
        return true;
    }
    if (path[len] == '\0') {
        route->kind = is_put(method) ? rules->put : ROUTE_WRONG_METHOD;
    }
    return path[len] == '\0';
}

static const struct rules_routes rules_routes[] = {
    {"/api/destinations", ROUTE_DESTINATION_PUT, ROUTE_DESTINATION_LIST, ROUTE_DESTINATION_GET,
     ROUTE_DESTINATION_DELETE, ROUTE_DESTINATION_DELETE_ALL},
    {"/api/streams", ROUTE_STREAM_PUT, ROUTE_STREAM_LIST, ROUTE_STREAM_GET, ROUTE_STREAM_DELETE,
     ROUTE_STREAM_DELETE_ALL},
};

static const struct {
    const char *path;
    const char *method; /* NULL: any */
    enum route_kind kind;
} fixed_routes[] = {
    {"/healthcheck", "GET", ROUTE_HEALTH},
    {"/api", NULL, ROUTE_API},
    {"/api/status", "GET", ROUTE_STATUS},
};

static const struct {
    const char *folder;
    enum route_kind kind;
} feed_routes[] = {{"/ts/", ROUTE_PUBLISH}, {"/ws/", ROUTE_WEBSOCKET}};

static void find(const char *method, const char *path, struct route *route)
{
    for (size_t i = 0; i < ARRAY_LENGTH(fixed_routes); i++) {
        if (strcmp(path, fixed_routes[i].path) == 0) {
            bool is_right =
                fixed_routes[i].method == NULL || strcmp(method, fixed_routes[i].method) == 0;

            route->kind = is_right ? fixed_routes[i].kind : ROUTE_WRONG_METHOD;
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(rules_routes); i++) {
        if (find_rules(&rules_routes[i], method, path, route)) {
            return;
        }
    }
    for (size_t i = 0; i < ARRAY_LENGTH(feed_routes); i++) {
        size_t len = strlen(feed_routes[i].folder);

        if (strncmp(path, feed_routes[i].folder, len) == 0 && is_name(path + len)) {
            set(route, feed_routes[i].kind, path + len);
            return;
        }
    }
}

/* The path without "//", "." and ".."; a slash at its end stays. */
static int clean(const char *path, char *text, size_t size)
{
    size_t len = strlen(path);
    int failed = request_target_clean_path(bytes_of(path, len), text, size);
    size_t clean_len = failed == 0 ? strlen(text) : 0;

    if (failed == 0 && len > 1 && path[len - 1] == '/' && text[clean_len - 1] != '/') {
        failed = clean_len + 1 < size ? 0 : -ENOSPC;
        if (failed == 0) {
            memcpy(text + clean_len, "/", 2);
        }
    }
    return failed;
}

void route_find(const char *method, struct bytes target, struct route *ret_route)
{
    char path[PATH_SIZE], cleaned[PATH_SIZE], escaped[ROUTE_NAME_SIZE];
    struct bytes raw, query;

    ret_route->kind = ROUTE_NOT_FOUND;
    ret_route->name[0] = '\0';
    if (request_target_split(target, &raw, &query) != 0) {
        return;
    }
    if (request_target_decode(raw, path, sizeof path) != 0) {
        ret_route->kind = ROUTE_BAD_REQUEST;
        return;
    }
    if (clean(path, cleaned, sizeof cleaned) != 0) {
        return;
    }
    if (strcmp(path, cleaned) == 0) {
        find(method, path, ret_route);
    } else if (request_target_escape(bytes_of_text(cleaned), escaped, sizeof escaped) == 0) {
        set(ret_route, ROUTE_REDIRECT, escaped);
    }
}

bool route_is_control(const struct route *route)
{
    if (route->kind == ROUTE_PUBLISH || route->kind == ROUTE_WEBSOCKET) {
        return strcmp(route->name, "api") == 0;
    }
    return route->kind >= ROUTE_STATUS && route->kind <= ROUTE_STREAM_DELETE_ALL;
}
