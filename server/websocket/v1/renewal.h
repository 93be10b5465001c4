/* A new token for a connection that is open: the same booking, topic and scopes, a later end.
 * Verifying takes time that all connections of a worker need, so a worker verifies a burst at once
 * and then so many a second; TURN_MS_MAX bounds what a burst costs in one turn. Owner worker only;
 * never blocks. */
#pragma once

#include "base/bytes.h"
#include "wire/subprotocol/relay_v1.h"

struct conn;

enum renewal_limits {
    RENEWAL_MS = 1000,         /* between two tokens of a connection that are verified */
    RENEWALS_BURST = 4096,     /* of all connections of a worker: a class whose hour is over */
    RENEWALS_PER_SECOND = 500, /* that come back */
};

/* Verifies it as the access API does. RELAY_V1_EXPIRY_RENEWED: the connection ends with it, or when
 * it did before, if that is later. RELAY_V1_EXPIRY_TOO_OFTEN: the worker has verified too many. */
enum relay_v1_expiry_result renewal_take(struct conn *conn, struct bytes token);
