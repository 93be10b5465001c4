/* Goal: method and path find their handler, or why there is none.
 * Method: one table. */
#include <criterion/criterion.h>

#include "server/access/routes.h"

Test(routes, find_what_is_served)
{
    static const struct {
        const char *method;
        const char *path;
        enum route_result result;
        const char *parameter;
        const char *allowed;
    } cases[] = {
        {"POST", "/session/t0", ROUTE_FOUND, "t0", ""},
        {"POST", "/session/a%2Fb", ROUTE_FOUND, "a%2Fb", ""},
        {"POST", "/session/session", ROUTE_FOUND, "session", ""},
        {"GET", "/session/t0", ROUTE_WRONG_METHOD, "", "POST"},
        {"post", "/session/t0", ROUTE_WRONG_METHOD, "", "POST"},
        {"HEAD", "/session/t0", ROUTE_WRONG_METHOD, "", "POST"},
        {"POST", "/session/", ROUTE_NOT_FOUND, "", ""},
        {"POST", "/session", ROUTE_NOT_FOUND, "", ""},
        {"POST", "/session/a/b", ROUTE_NOT_FOUND, "", ""},
        {"POST", "/Session/a", ROUTE_NOT_FOUND, "", ""},
        {"POST", "/x/session/a", ROUTE_NOT_FOUND, "", ""},
        {"POST", "/", ROUTE_NOT_FOUND, "", ""},
        {"POST", "", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/nope", ROUTE_NOT_FOUND, "", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct route_match match;

        cr_assert_eq(routes_find(cases[i].method, cases[i].path, &match), cases[i].result,
                     "case %zu: %s %s", i, cases[i].method, cases[i].path);
        cr_assert_str_eq(match.allowed, cases[i].allowed);
        cr_assert(bytes_equal_text(match.parameter, cases[i].parameter));
        cr_assert_eq(match.route != NULL, cases[i].result == ROUTE_FOUND);
    }
}

Test(routes, lead_to_their_handlers)
{
    struct route_match match;

    cr_assert_eq(routes_find("POST", "/session/x", &match), ROUTE_FOUND);
    cr_assert_eq(match.route->handle, session_post);
}
