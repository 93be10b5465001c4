#include "server/admin/admin_guard.h"

#include <arpa/inet.h>
#include <netinet/in.h>
#include <string.h>

#include "base/bytes.h"

enum { HOST_SIZE = 256 };

#define ORIGIN_SCHEME "http://"

/* Without port and brackets. */
static struct bytes name_of(struct bytes host)
{
    if (host.len > 0 && host.data[0] == '[') {
        host = bytes_skip(host, 1);
        host.len = bytes_find(host, ']');
        return host;
    }
    host.len = bytes_find(host, ':');
    return host;
}

static bool is_address(const char *name)
{
    struct in6_addr address;

    return inet_pton(AF_INET, name, &address) == 1 || inet_pton(AF_INET6, name, &address) == 1;
}

static bool ends_with(const char *name, const char *end)
{
    size_t len = strlen(name), end_len = strlen(end);

    return len > end_len && strcasecmp(name + len - end_len, end) == 0;
}

bool admin_guard_allows_host(const struct http_request *request, const char *hosts)
{
    struct bytes host = {0};
    char name[HOST_SIZE];

    if (!http_request_field(request, "Host", &host)) {
        return true; /* HTTP/1.0, which no browser speaks */
    }
    if (bytes_to_text(name_of(host), name, sizeof name) != 0) {
        return false;
    }
    return name[0] == '\0' || is_address(name) || strchr(name, '.') == NULL ||
           ends_with(name, ".localhost") ||
           (hosts != NULL && bytes_list_has_nocase(bytes_of_text(hosts), name));
}

static bool is_own_origin(const struct http_request *request, struct bytes origin)
{
    struct bytes host = {0};

    return http_request_field(request, "Host", &host) && bytes_start_with(origin, ORIGIN_SCHEME) &&
           bytes_equal(bytes_skip(origin, strlen(ORIGIN_SCHEME)), host);
}

bool admin_guard_allows_change(const struct http_request *request)
{
    struct bytes value = {0};

    if (!http_request_field(request, "Relay-Admin", &value) || !bytes_equal_text(value, "1")) {
        return false;
    }
    if (http_request_field(request, "Origin", &value) && !is_own_origin(request, value)) {
        return false;
    }
    return !http_request_field(request, "Sec-Fetch-Site", &value) ||
           bytes_equal_text(value, "same-origin") || bytes_equal_text(value, "none");
}
