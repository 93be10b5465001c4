/* PHASE_HTTP: one request after another; the access API is answered here, and an upgrade leaves for
 * the WebSocket phase. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"
#include "server/loop/inbox.h"
#include "server/loop/worker.h"

enum phase_http_limits {
    HTTP_EVICTING_MAX = 16, /* connections being closed, while others are evicted for memory */
};

struct phase_http {
    struct inbox inbox;           /* waits for a turn, or for an answer to be sent */
    struct http_request *request; /* a block of worker.requests, while a request is being read */
    char *fields;                 /* of an answer that is deferred; NULL: none */
    unsigned minor_version;       /* the same */
    bool head_only;               /* the same */
    bool answered;                /* at least one request was */
    bool leaves;                  /* for another worker, which uses request and inbox; upgrade.h */
};
_Static_assert(sizeof(struct phase_http) <= PHASE_STATE_BYTES, "it fits a connection");

static inline struct phase_http *phase_http_of(struct conn *conn)
{
    return (struct phase_http *)(void *)conn->phase_state;
}

static inline const struct phase_http *phase_http_seen(const struct conn *conn)
{
    return (const struct phase_http *)(const void *)conn->phase_state;
}

/* Accepts NULL. The request may hold a token or a code. */
static inline void phase_http_put_request(struct conn *conn, struct http_request *request)
{
    if (request != NULL) {
        http_request_wipe(request);
        block_pool_put(&conn->worker->requests, request);
    }
}

/* A connection of this phase that is kept alive, between two requests. */
bool phase_http_is_idle(const struct conn *conn);

extern const struct phase_ops phase_http_ops;

/* The answer of a request that was deferred. Frees reply->long_body. */
void phase_http_answer_deferred(struct conn *conn, struct access_reply *reply);
