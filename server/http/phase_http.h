/* PHASE_HTTP: one request after another; the access API is answered here, and an upgrade leaves for
 * the WebSocket phase. */
#pragma once

#include "server/access/access.h"
#include "server/conn/conn.h"

extern const struct phase_ops phase_http_ops;

/* The answer of a request that was deferred. Frees reply->long_body. */
void http_answer_deferred(struct conn *conn, struct access_reply *reply);
