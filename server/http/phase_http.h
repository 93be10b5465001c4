/* PHASE_HTTP: one request after another; the access API is answered here, and an upgrade leaves for
 * the WebSocket phase. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"

struct phase_http {
    struct http_request *request;    /* a block of worker.requests, while a request is being read */
    char fields[ACCESS_FIELDS_SIZE]; /* of that answer */
    unsigned minor_version;          /* the same */
    bool head_only;                  /* the same */
    bool answered;                   /* at least one request was */
};
_Static_assert(sizeof(struct phase_http) <= PHASE_STATE_BYTES, "it fits a connection");

static inline struct phase_http *phase_http_of(struct conn *conn)
{
    return (struct phase_http *)(void *)conn->phase_state;
}

extern const struct phase_ops phase_http_ops;

/* The answer of a request that was deferred. Frees reply->long_body. */
void http_answer_deferred(struct conn *conn, struct access_reply *reply);
