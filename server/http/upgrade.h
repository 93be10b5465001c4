/* A request for a WebSocket: refused, answered by 101 here, or on the worker that its topic is on
 * (placement/). The connection waits in PHASE_HTTP, with leaves set, while that is asked. Owner
 * worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"
#include "wire/http_request.h"

/* rest: bytes behind the request, which belong to the WebSocket already. While phase_http.leaves is
 * set after this, request and rest stay where they are. */
void upgrade_answer(struct conn *conn, const struct http_request *request, struct bytes rest);
