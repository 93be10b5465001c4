/* The line for each refused request, so that an operator can see which client was turned away and
 * why. At most so many in each period, and those left out are counted: strangers cause these lines.
 * Called on a worker, which owns the limit. */
#pragma once

#include "base/log.h"
#include "server/access/access.h"
#include "server/websocket/admission.h"

/* The client of a request, as far as it may be logged. */
struct audit_client {
    const char *address; /* "" to leave it out */
    const char *user_agent;
};

struct audit {
    struct log_limit *limit;
    struct counters *counters;
    uint64_t now_ms;
    struct audit_client client;
};

/* Bytes that were no request at all. */
void audit_malformed(const struct audit *audit, unsigned status, const char *reason);
/* The access API refused. What the token says appears only when its signature is genuine. */
void audit_request_refused(const struct audit *audit, const struct access_call *call,
                           const struct access_reply *reply);
/* No WebSocket for this code. What the code stands for appears when there was one. */
void audit_upgrade_refused(const struct audit *audit, const struct admission *admission);
