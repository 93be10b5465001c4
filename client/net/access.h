/* The access request: POST to the location with the token, answered by {"uri": "wss://…?code=…"}.
 * Pure, any thread. */
#pragma once

#include <stddef.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/http_answer.h"
#include "wire/address/url.h"

/* Writes the request; its length, or -ENOSPC. The text holds the token: wipe it after use. */
MUST_USE int access_request_write(const struct url *location, const char *token,
                                  const char *user_agent, char *text, size_t size);

/* Evaluates a whole response. PROGRESS_DONE: *ret_url is the WebSocket to dial. PROGRESS_FAILED:
 * the fault holds status, Retry-After and the server's message, sanitised and cut. */
MUST_USE enum progress access_answer_read(const struct http_answer *answer, struct url *ret_url,
                                          struct fault *fault);

/* The fault for any response other than the expected one; also for a refused handshake. */
enum progress access_fault(const struct http_answer *answer, struct fault *fault);
