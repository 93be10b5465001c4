/* The log lines of a WebSocket: that it was opened, that it is too slow, and that it was closed.
 * Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"

/* In PHASE_WEBSOCKET, when it has joined its topic. */
void websocket_log_opened(const struct conn *conn);

/* A viewer lost messages because it is too slow: one line in LAG_LOG_MS, of all of the worker's. */
void websocket_log_slow(struct subscriber *subscriber);

/* When it leaves that phase, with what it was in numbers. */
void websocket_log_closed(const struct conn *conn);
