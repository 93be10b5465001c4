/* The client's side of the WebSocket opening handshake (RFC 6455 §4.1). Pure but for the random
 * key; any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "client/net/fault.h"
#include "client/net/http_answer.h"
#include "wire/address/url.h"

enum handshake_sizes { HANDSHAKE_KEY_SIZE = 25 }; /* base64 of 16 bytes, and the terminator */

struct handshake {
    char key[HANDSHAKE_KEY_SIZE];
    const char *subprotocol; /* that is offered; NULL: none */
};

/* A fresh key. The subprotocol is borrowed. */
void handshake_init(struct handshake *handshake, const char *subprotocol);

/* Writes the request; its length, or -ENOSPC. It holds the one-time code. */
MUST_USE int handshake_request_write(const struct handshake *handshake, const struct url *url,
                                     const char *user_agent, char *text, size_t size);

/* Checks a whole response: 101 with the right accept value, and nothing negotiated but what was
 * offered. */
MUST_USE enum progress handshake_answer_check(const struct handshake *handshake,
                                              const struct http_answer *answer,
                                              struct fault *fault);

/* Whether the server of an accepted handshake speaks the subprotocol. */
bool handshake_is_granted(const struct handshake *handshake, const struct http_answer *answer);
