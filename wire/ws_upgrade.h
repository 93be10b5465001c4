/* The opening handshake (RFC 6455 §4). Pure: no allocation, no I/O, any thread. */
#pragma once

#include <stdbool.h>
#include <stddef.h>

#include "base/attributes.h"
#include "base/bytes.h"
#include "wire/http_request.h"

enum ws_upgrade_sizes { WS_ACCEPT_SIZE = 29 }; /* base64 of SHA-1, and the terminator */

enum ws_upgrade_result {
    WS_UPGRADE_OK,
    WS_UPGRADE_NOT_ASKED, /* an ordinary request: no "Upgrade: websocket" with "Connection: upgrade"
                           */
    WS_UPGRADE_BAD_METHOD,  /* requested, but not by GET (→ 405) */
    WS_UPGRADE_BAD_VERSION, /* Sec-WebSocket-Version is not 13 (→ 400) */
    WS_UPGRADE_BAD_KEY, /* Sec-WebSocket-Key not sent once as the base64 of 16 bytes (→ 400) */
};

/* Checks a whole request. Header tokens are case-insensitive and may stand anywhere in
 * comma-separated lists (§4.2.1). */
enum ws_upgrade_result ws_upgrade_check(const struct http_request *request);

/* True when the client offers the subprotocol, anywhere in the list. */
bool ws_upgrade_offers(const struct http_request *request, const char *subprotocol);

/* The first subprotocol that the client offers. False, with *ret_value untouched, when it offers
 * none or the first is not a token (§11.3.4). */
bool ws_upgrade_first_offer(const struct http_request *request, struct bytes *ret_value);

/* Sec-WebSocket-Accept for a key that ws_upgrade_check accepted (§4.2.2). 0, or -ENOMEM: OpenSSL
 * allocates memory for a digest. */
MUST_USE int ws_upgrade_accept(struct bytes key, char accept[static WS_ACCEPT_SIZE]);
