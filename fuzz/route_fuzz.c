/* Reaches route_find. A name that is found is what a request for it finds again: routes have one
 * reading. Input: a byte that chooses the method, then the target. */
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include "base/check.h"
#include "host/http/route.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static bool has_dot_segment(const char *name)
{
    return strstr(name, "/../") != NULL || strstr(name, "//") != NULL;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const methods[] = {"GET", "POST", "DELETE", "UPDATE", "HEAD"};
    struct route route, again;
    char target[ROUTE_NAME_SIZE + 8];

    if (size < 1) {
        return 0;
    }
    const char *method = methods[data[0] % (sizeof methods / sizeof methods[0])];

    route_find(method, bytes_of(data + 1, size - 1), &route);
    CHECK(memchr(route.name, '\0', sizeof route.name) != NULL);
    if (route.kind == ROUTE_PUBLISH || route.kind == ROUTE_WEBSOCKET) {
        CHECK(route.name[0] != '\0' && !has_dot_segment(route.name));
        snprintf(target, sizeof target, "%s%s", route.kind == ROUTE_PUBLISH ? "/ts/" : "/ws/",
                 route.name);
        route_find(method, bytes_of_text(target), &again);
        CHECK(again.kind == route.kind && strcmp(again.name, route.name) == 0);
        CHECK(route_is_control(&route) == (strcmp(route.name, "api") == 0));
    } else if (route.kind == ROUTE_REDIRECT) {
        CHECK(route.name[0] == '/' && route.name[1] != '/');
        CHECK(strpbrk(route.name, "\r\n") == NULL);
    }
    return 0;
}
