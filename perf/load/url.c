#include "perf/load/url.h"

#include <errno.h>
#include <string.h>

#include "base/bytes.h"

static const struct scheme {
    const char *prefix;
    bool is_tls;
    uint16_t port;
} schemes[] = {
    {"http://", false, 80},
    {"https://", true, 443},
    {"ws://", false, 80},
    {"wss://", true, 443},
};

static const struct scheme *scheme_take(struct bytes *rest)
{
    for (size_t i = 0; i < ARRAY_LENGTH(schemes); i++) {
        if (bytes_start_with(*rest, schemes[i].prefix)) {
            *rest = bytes_skip(*rest, strlen(schemes[i].prefix));
            return &schemes[i];
        }
    }
    return NULL;
}

static int port_parse(struct bytes text, uint16_t *port)
{
    uint64_t value;

    if (text.len == 0) {
        return 0;
    }
    if (text.data[0] != ':' || bytes_to_uint64(bytes_skip(text, 1), &value) != 0 || value == 0 ||
        value > UINT16_MAX) {
        return -EINVAL;
    }
    *port = (uint16_t)value;
    return 0;
}

static int authority_parse(struct bytes authority, struct url *url)
{
    struct bytes host = bytes_of(authority.data, bytes_find(authority, ':'));
    struct bytes port = bytes_skip(authority, host.len);

    if (bytes_start_with(authority, "[")) {
        size_t end = bytes_find(authority, ']');

        if (end == authority.len) {
            return -EINVAL;
        }
        host = bytes_of(authority.data + 1, end - 1);
        port = bytes_skip(authority, end + 1);
    }
    if (host.len == 0 || bytes_find(authority, '@') < authority.len) {
        return -EINVAL;
    }
    if (bytes_to_text(host, url->host, sizeof url->host) != 0) {
        return -ENAMETOOLONG;
    }
    return port_parse(port, &url->port);
}

static int target_write(struct bytes target, struct url *url)
{
    size_t len = 0;

    if (!bytes_start_with(target, "/")) {
        url->target[len++] = '/';
    }
    for (size_t i = 0; i < target.len; i++) {
        bool is_space = target.data[i] == ' ';

        if (len + 4 > sizeof url->target) {
            return -ENAMETOOLONG;
        }
        memcpy(url->target + len, is_space ? "%20" : (const char *)target.data + i,
               is_space ? 3 : 1);
        len += is_space ? 3 : 1;
    }
    url->target[len] = '\0';
    return 0;
}

int url_parse(const char *text, struct url *ret_url)
{
    struct url url = {.port = 0};
    struct bytes rest = bytes_of_text(text);
    const struct scheme *scheme = scheme_take(&rest);

    if (scheme == NULL) {
        return -EINVAL;
    }
    for (size_t i = 0; i < rest.len; i++) {
        if (rest.data[i] < 0x20 || rest.data[i] == 0x7f) {
            return -EINVAL;
        }
    }
    size_t host_end = bytes_find(rest, '/');
    size_t query = bytes_find(rest, '?');

    host_end = query < host_end ? query : host_end;
    url.is_tls = scheme->is_tls;
    url.port = scheme->port;
    int failed = authority_parse(bytes_of(rest.data, host_end), &url);

    if (failed == 0) {
        failed = target_write(bytes_skip(rest, host_end), &url);
    }
    if (failed != 0) {
        return failed;
    }
    *ret_url = url;
    return 0;
}
