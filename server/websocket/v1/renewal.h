/* A new token for a connection that is open: the same booking, topic and scopes, a later end.
 * Owner worker only; never blocks. */
#pragma once

#include "base/bytes.h"
#include "wire/subprotocol/relay_v1.h"

struct conn;

enum renewal_limits {
    RENEWAL_MS = 1000, /* between two tokens that are verified: it takes time that others need */
};

/* Verifies it as the access API does. RELAY_V1_EXPIRY_RENEWED: the connection now ends with it. */
enum relay_v1_expiry_result renewal_take(struct conn *conn, struct bytes token);
