/* The Close that a WebSocket says when it ends. Owner worker only; never blocks. */
#pragma once

#include <stdint.h>

#include "server/conn/conn.h"

/* Says the reason's own code (stats/close_reason.h), with text for people, and leaves
 * PHASE_WEBSOCKET. */
void close_frame_say(struct conn *conn, enum close_reason reason, const char *text);

/* The same with another code, as an answer to the peer's Close. */
void close_frame_say_code(struct conn *conn, enum close_reason reason, uint16_t code,
                          const char *text);
