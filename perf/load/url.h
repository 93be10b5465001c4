/* The four schemes a relay is reached by: http, https, ws, wss. Pure. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum url_limits {
    URL_HOST_SIZE = 256,
    URL_TARGET_SIZE = 2048,
};

struct url {
    bool is_tls;
    char host[URL_HOST_SIZE];     /* without the brackets of an IPv6 address */
    uint16_t port;                /* the scheme's own when none is given */
    char target[URL_TARGET_SIZE]; /* path and query; begins with a slash */
};

/* -EINVAL for another scheme, no host, a bad port, a user part or control characters; -ENAMETOOLONG
 * when a part does not fit. A space in the target becomes %20: some servers put topics in
 * unescaped. */
MUST_USE int url_parse(const char *text, struct url *ret_url);
