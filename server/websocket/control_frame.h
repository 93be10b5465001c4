/* A control frame of a peer: memory for its payload while that comes, and what it is answered with.
 * Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"

/* Its header has come, and a payload follows: at most WS_CONTROL_PAYLOAD_MAX, as the frame parser
 * refuses longer ones. Without memory the connection ends. */
void control_frame_begin(struct conn *conn);

/* It is here whole. The connection may leave its phase. */
void control_frame_end(struct conn *conn);
