/* Admission of a connection to a topic: judges an upgrade request before anything is answered. */
#pragma once

#include "server/access/access.h"
#include "server/access/permission.h"

struct admission {
    struct permission permission; /* of the code, when one was taken */
    bool has_permission;
    unsigned status;          /* 101, or of the refusal: 301, 400, 401, 403, 404, 405, 414 */
    const char *reason;       /* for the log; constant, never from the peer */
    struct bytes subprotocol; /* to be echoed, or empty; borrowed from the request */
    char location[HTTP_TARGET_BYTES_MAX + 1]; /* of a 301 */
};

/* Path, upgrade fields, then the code, which is used up whatever comes after. */
void admission_check(const struct access_context *context, const struct http_request *request,
                     uint64_t now_ms, int64_t now_s, struct admission *ret_admission);
