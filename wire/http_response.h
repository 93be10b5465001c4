/* HTTP/1.1 responses, written whole into a caller's buffer. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "base/bytes.h"

enum http_response_limits {
    HTTP_RESPONSE_HEAD_MAX = 1024, /* of a response, without its extra_fields */
};

struct http_response {
    unsigned status;          /* 100, 101, 200, 204, 301, 400 … */
    const char *content_type; /* NULL: no Content-Type and no body (204) */
    struct bytes body;
    const char *extra_fields; /* whole "Name: value\r\n" lines, or "" */
    bool keep_alive;          /* false: "Connection: close" */
    bool head_only;           /* response to HEAD: headers as for GET, no body */
    unsigned minor_version;   /* of the request: 0 for HTTP/1.0 */
    int64_t date_s;           /* seconds since 1970 UTC */
};

/* Standard reason phrase (RFC 9110 §15), "Unknown" otherwise. */
const char *http_response_status_text(unsigned status);

/* Returns the length written, or -ENOSPC. Content-Length is written unless the status is 1xx or
 * 204. Interim responses (1xx) carry extra_fields only; all others also Date (RFC 9110 §6.6.1), and
 * 401 a challenge for the scheme Bearer (§15.5.2). */
MUST_USE int http_response_write(const struct http_response *response, char *data, size_t size);
