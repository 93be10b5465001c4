/* Reaches origin_is_same and origin_host_is_own. An origin made of the Host is the same,
 * and a host below a foreign name is never the own. Input: the origin, a zero byte, the Host. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/check.h"
#include "wire/address/origin.h"

enum { NAME_MAX_LEN = 255 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void check_own(struct bytes host)
{
    char text[NAME_MAX_LEN + 64];
    bool has_port = bytes_find(host, ':') < host.len;

    if (origin_host_is_own(host, "machine") && !has_port && host.len > 0 &&
        host.len <= NAME_MAX_LEN && host.data[0] != '[') {
        int len = snprintf(text, sizeof text, "%.*s.evil.example", (int)host.len, host.data);

        CHECK(!origin_host_is_own(bytes_of(text, (size_t)len), "machine"));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct bytes all = bytes_of(data, size);
    struct bytes origin = bytes_of(data, bytes_find(all, '\0'));
    struct bytes host = bytes_skip(all, origin.len + 1);
    char text[NAME_MAX_LEN + 64];

    CHECK(!origin_is_same(origin, host) || origin.len > host.len);
    check_own(host);
    if (host.len > 0 && host.len <= NAME_MAX_LEN && bytes_find(host, '\0') == host.len) {
        int len = snprintf(text, sizeof text, "http://%.*s", (int)host.len, host.data);

        CHECK(origin_is_same(bytes_of(text, (size_t)len), host));
    }
    return 0;
}
