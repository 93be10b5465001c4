/* Admission of a connection to a topic: judges an upgrade request before anything is answered. */
#pragma once

#include "server/access/access.h"
#include "server/bookings/permission.h"
#include "server/websocket/wishes.h"

enum admission_limits {
    SUBPROTOCOL_BYTES_MAX = 256, /* a longer one that would be echoed is refused: 400 */
};

struct admission {
    struct permission permission; /* of the code, when one was taken */
    bool has_permission;
    unsigned status;    /* 101, or of the refusal: 301, 400, 401, 403, 404, 405, 414, 503 */
    const char *reason; /* for the log; constant, never from the peer */
    struct wishes wishes;
    struct bytes subprotocol;                 /* to be echoed, or empty; borrowed, or a constant */
    bool is_v1;                               /* it is relay.v1 */
    char location[HTTP_TARGET_BYTES_MAX + 1]; /* of a 301 */
};

/* Path, upgrade fields, then the code, which is used up whatever comes after, then a place. With
 * status 101 the caller owns a place of context->places, which it gives back when the WebSocket
 * ends. */
void admission_check(const struct access_context *context, const struct http_request *request,
                     uint64_t now_ms, int64_t now_s, struct admission *ret_admission);

/* Looks again at what may have changed since admission_check said 101: the end of its token,
 * denials, the end of the service. False: not any more. */
MUST_USE bool admission_holds(const struct access_context *context,
                              const struct admission *admission, int64_t now_s);

/* The same, on whose False the admission is a refusal, and its place is given back. */
MUST_USE bool admission_check_again(const struct access_context *context,
                                    struct admission *admission, int64_t now_s);

/* Gives the place back: the WebSocket could not be opened. */
void admission_undo(const struct access_context *context, const struct admission *admission);
