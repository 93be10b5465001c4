#include "server/access/cors.h"

#include <stdio.h>
#include <string.h>

#include "base/check.h"

static bool list_has(const char *origins, struct bytes origin)
{
    while (*origins != '\0') {
        size_t len = strcspn(origins, ", ");

        if (len == 1 && origins[0] == '*') {
            return true;
        }
        if (len > 0 && bytes_equal(bytes_of(origins, len), origin)) {
            return true;
        }
        origins += len + (origins[len] != '\0');
    }
    return false;
}

static bool is_allowed(const char *origins, const struct http_request *request,
                       struct bytes *ret_origin)
{
    return origins != NULL && origins[0] != '\0' &&
           http_request_field(request, "Origin", ret_origin) &&
           ret_origin->len <= CORS_ORIGIN_BYTES_MAX && list_has(origins, *ret_origin);
}

void cors_fields(const char *origins, const struct http_request *request, char *fields, size_t size)
{
    struct bytes origin;

    fields[0] = '\0';
    if (!is_allowed(origins, request, &origin)) {
        return;
    }
    int len = snprintf(fields, size, "Access-Control-Allow-Origin: %.*s\r\nVary: Origin\r\n",
                       (int)origin.len, (const char *)origin.data);

    CHECK(len > 0 && len < (int)size);
}

bool cors_is_preflight(const char *origins, const struct http_request *request, char *fields,
                       size_t size)
{
    static const char more[] = "Access-Control-Allow-Methods: GET, POST, OPTIONS\r\n"
                               "Access-Control-Allow-Headers: Authorization, Content-Type\r\n"
                               "Access-Control-Max-Age: 600\r\n";
    struct bytes ignored;
    size_t used = strlen(fields);

    if (strcmp(request->method, "OPTIONS") != 0 || !is_allowed(origins, request, &ignored) ||
        !http_request_field(request, "Access-Control-Request-Method", &ignored)) {
        return false;
    }
    CHECK(used + sizeof more <= size);
    memcpy(fields + used, more, sizeof more);
    return true;
}
