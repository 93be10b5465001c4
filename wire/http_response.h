/* HTTP/1.1 responses, written whole into a caller's buffer. Pure, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"

struct http_response {
    unsigned status;          /* 101, 200, 204, 301, 400 … */
    const char *content_type; /* NULL: no Content-Type and no body (204) */
    struct bytes body;
    const char *extra_fields; /* whole "Name: value\r\n" lines, or "" */
    bool keep_alive;          /* false: "Connection: close" */
    bool head_only;           /* answer to HEAD: headers as for GET, no body */
    unsigned minor_version;   /* of the request: 0 answers HTTP/1.0 */
};

/* Standard reason phrase (RFC 9110 §15), "Unknown" otherwise. */
const char *http_status_text(unsigned status);

/* Returns the length written, or -ENOSPC. Content-Length is written unless the status is 101 or
 * 204; for 101 neither Connection nor Content-Length is added (extra_fields says it all). */
MUST_USE int http_response_write(const struct http_response *response, char *data, size_t size);
