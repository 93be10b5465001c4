/* One GET from the admin listener, one step at a time between calls of poll(2), so that keys are
 * answered while the relay is not. Owner thread only; never blocks. Must not move in memory between
 * start and end. */
#pragma once

#include <poll.h>
#include <stdint.h>

#include "base/attributes.h"
#include "cli/top/admin/admin_address.h"
#include "client/net/fault.h"
#include "client/net/http_body.h"

enum fetch_limits {
    FETCH_WAIT_MS = 5000, /* for the whole answer */
    FETCH_REQUEST_SIZE = 256,
    FETCH_BYTES_MAX = 32 * 1024 * 1024,
};

struct fetch {
    int fd; /* -1: none */
    char request[FETCH_REQUEST_SIZE];
    size_t request_len, sent;
    uint64_t due_ms; /* of clock_monotonic_ms: it is given up then */
    struct http_body body;
};

void fetch_init(struct fetch *fetch);

/* Begins: PROGRESS_WAIT or PROGRESS_FAILED. Of one that is idle. */
MUST_USE enum progress fetch_start(struct fetch *fetch, const struct admin_address *address,
                                   const char *target, uint64_t now_ms, struct fault *fault);

/* PROGRESS_DONE: the body has the answer, of any status, until fetch_end. */
MUST_USE enum progress fetch_advance(struct fetch *fetch, uint64_t now_ms, struct fault *fault);

/* The event that fetch_advance waits for. */
struct pollfd fetch_pollfd(const struct fetch *fetch);

/* Makes it idle again, at any time. */
void fetch_end(struct fetch *fetch);
