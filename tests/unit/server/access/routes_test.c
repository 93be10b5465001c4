/* Goal: method and path find their handler, or why there is none.
 * Method: one table. */
#include <criterion/criterion.h>

#include "server/access/routes.h"
#include "server/access/snapshot.h"
#include "server/access/watch.h"

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
        {"POST", "/bids/deny", ROUTE_FOUND, "", ""},
        {"GET", "/bids/deny", ROUTE_FOUND, "", ""},
        {"DELETE", "/bids/deny", ROUTE_WRONG_METHOD, "", "POST,GET"},
        {"POST", "/bids/allow", ROUTE_FOUND, "", ""},
        {"GET", "/bids/allow", ROUTE_FOUND, "", ""},
        {"HEAD", "/bids/allow", ROUTE_FOUND, "", ""},
        {"HEAD", "/status", ROUTE_FOUND, "", ""},
        {"GET", "/bids", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/bids/", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/bids/denied", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/bids/deny/x", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/status", ROUTE_FOUND, "", ""},
        {"POST", "/status", ROUTE_WRONG_METHOD, "", "GET"},
        {"OPTIONS", "/status", ROUTE_WRONG_METHOD, "", "GET"},
        {"GET", "/status/x", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/docs", ROUTE_FOUND, "", ""},
        {"GET", "/watch", ROUTE_FOUND, "", ""},
        {"GET", "/watch/x", ROUTE_NOT_FOUND, "", ""},
        {"HEAD", "/snapshot/lab%2Fcam", ROUTE_FOUND, "lab%2Fcam", ""},
        {"POST", "/snapshot/t0", ROUTE_WRONG_METHOD, "", "GET"},
        {"GET", "/snapshot/", ROUTE_NOT_FOUND, "", ""},
        {"GET", "/swagger.json", ROUTE_FOUND, "", ""},
        {"GET", "/openapi.json", ROUTE_FOUND, "", ""},
        {"GET", "/swagger_json", ROUTE_NOT_FOUND, "", ""},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        struct route_match match;

        cr_assert_eq(routes_find(cases[i].method, cases[i].path, &match), cases[i].result,
                     "case %zu: %s %s", i, cases[i].method, cases[i].path);
        if (cases[i].result == ROUTE_WRONG_METHOD) {
            cr_assert_str_eq(match.allowed, cases[i].allowed);
        }
        cr_assert(bytes_equal_text(match.parameter, cases[i].parameter));
        cr_assert_eq(match.route != NULL, cases[i].result == ROUTE_FOUND);
    }
}

Test(routes, lead_to_their_handlers)
{
    struct route_match match;

    static const struct {
        const char *method;
        const char *path;
        void (*handle)(struct access_call *call, struct access_reply *reply);
        enum route_kind kind;
    } cases[] = {
        {"POST", "/session/x", session_post, ROUTE_JSON},
        {"POST", "/bids/deny", bids_deny_post, ROUTE_JSON},
        {"GET", "/bids/deny", bids_deny_get, ROUTE_JSON},
        {"POST", "/bids/allow", bids_allow_post, ROUTE_JSON},
        {"GET", "/bids/allow", bids_allow_get, ROUTE_JSON},
        {"GET", "/status", status_get, ROUTE_JSON},
        {"GET", "/snapshot/x", snapshot_get, ROUTE_PICTURES},
        {"GET", "/watch", watch_get, ROUTE_PUBLIC},
        {"GET", "/docs", docs_get, ROUTE_PUBLIC},
        {"GET", "/swagger.json", swagger_get, ROUTE_PUBLIC},
        {"GET", "/openapi.json", docs_openapi_get, ROUTE_PUBLIC},
    };

    for (size_t i = 0; i < ARRAY_LENGTH(cases); i++) {
        cr_assert_eq(routes_find(cases[i].method, cases[i].path, &match), ROUTE_FOUND);
        cr_assert_eq(match.route->handle, cases[i].handle, "case %zu", i);
        cr_assert_eq(match.route->kind, cases[i].kind, "case %zu", i);
    }
}
