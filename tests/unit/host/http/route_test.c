/* Goal: each path leads where practable/relay's router leads. Method: a table. */
#include "host/http/route.h"

#include <criterion/criterion.h>
#include <string.h>

static const struct {
    const char *method, *target;
    enum route_kind kind;
    const char *name;
} cases[] = {
    {"GET", "/healthcheck?a=b", ROUTE_HEALTH, ""},
    {"HEAD", "/healthcheck", ROUTE_WRONG_METHOD, ""},
    {"ANY", "/api", ROUTE_API, ""},
    {"GET", "/api/", ROUTE_NOT_FOUND, ""},
    {"UPDATE", "/api/destinations", ROUTE_DESTINATION_PUT, ""},
    {"GET", "/api/destinations", ROUTE_WRONG_METHOD, ""},
    {"GET", "/api/destinations/all", ROUTE_DESTINATION_LIST, "all"},
    {"GET", "/api/destinations/a%2Fb", ROUTE_DESTINATION_GET, "a/b"},
    {"GET", "/api/destinations/a.b", ROUTE_NOT_FOUND, ""},
    {"DELETE", "/api/destinations/a.b", ROUTE_DESTINATION_DELETE, "a.b"},
    {"DELETE", "/api/destinations/", ROUTE_DESTINATION_DELETE, ""},
    {"DELETE", "/api/destinations/all", ROUTE_DESTINATION_DELETE_ALL, "all"},
    {"PUT", "/api/destinations/x", ROUTE_WRONG_METHOD, ""},
    {"PUT", "/api/streams", ROUTE_STREAM_PUT, ""},
    {"GET", "/api/streams/stream/a", ROUTE_STREAM_GET, "stream/a"},
    {"DELETE", "/api/streams/deleteAll", ROUTE_STREAM_DELETE_ALL, "deleteAll"},
    {"GET", "/api/streamsx", ROUTE_NOT_FOUND, ""},
    {"POST", "/ts/video", ROUTE_PUBLISH, "video"},
    {"POST", "/ts/video/", ROUTE_PUBLISH, "video/"},
    {"POST", "/ts/a_b", ROUTE_NOT_FOUND, ""},
    {"POST", "/ts/", ROUTE_NOT_FOUND, ""},
    {"GET", "/ws/stream/a", ROUTE_WEBSOCKET, "stream/a"},
    {"GET", "//x", ROUTE_REDIRECT, "/x"},
    {"GET", "/ws/a//b/", ROUTE_REDIRECT, "/ws/a/b/"},
    {"GET", "/a/../api", ROUTE_REDIRECT, "/api"},
    {"GET", "/%zz", ROUTE_BAD_REQUEST, ""},
    {"OPTIONS", "*", ROUTE_NOT_FOUND, ""},
};

Test(route, is_that_of_the_table)
{
    for (size_t i = 0; i < sizeof cases / sizeof cases[0]; i++) {
        struct route route;

        route_find(cases[i].method, bytes_of_text(cases[i].target), &route);
        cr_assert_eq(route.kind, cases[i].kind, "%s %s: %d", cases[i].method, cases[i].target,
                     (int)route.kind);
        cr_assert_str_eq(route.name, cases[i].name, "%s", cases[i].target);
    }
}

Test(route, of_rules_and_commands_is_control)
{
    static const struct {
        const char *target;
        bool is_control;
    } targets[] = {
        {"/api/destinations/all", true}, {"/ws/api", true},  {"/ts/api", true}, {"/ws/apis", false},
        {"/healthcheck", false},         {"/nothing", false}};

    for (size_t i = 0; i < sizeof targets / sizeof targets[0]; i++) {
        struct route route;

        route_find("GET", bytes_of_text(targets[i].target), &route);
        cr_assert_eq(route_is_control(&route), targets[i].is_control, "%s", targets[i].target);
    }
}

Test(route, has_a_name_that_fits)
{
    static char target[ROUTE_NAME_SIZE + 8] = "/ts/";
    struct route route;

    memset(target + 4, 'a', ROUTE_NAME_SIZE);
    route_find("POST", bytes_of_text(target), &route);
    cr_assert_eq(route.kind, ROUTE_NOT_FOUND);
    target[4 + ROUTE_NAME_SIZE - 1] = '\0';
    route_find("POST", bytes_of_text(target), &route);
    cr_assert_eq(route.kind, ROUTE_PUBLISH);
}
