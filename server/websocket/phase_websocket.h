/* PHASE_WEBSOCKET: a connection that was admitted to a topic. */
#pragma once

#include "server/access/admission.h"
#include "server/conn/conn.h"
#include "wire/http_request.h"

extern const struct phase_ops phase_websocket_ops;

/* From PHASE_HTTP, when the 101 is queued; bytes: what came behind the request. */
void websocket_open(struct conn *conn, const struct admission *admission,
                    const struct http_request *request, struct bytes bytes);
