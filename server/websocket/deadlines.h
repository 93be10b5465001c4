/* The deadlines of a WebSocket: the pong for each ping, the end of a message that was begun, and
 * the end of its token. Owner worker only; never blocks. */
#pragma once

#include "server/conn/conn.h"

enum deadlines_limits {
    PONG_GRACE_MS = 1000, /* between looks whether a late peer still takes or sends bytes */
};

/* In PHASE_WEBSOCKET, once the token's end is known. */
void deadlines_start(struct conn *conn);
/* The same for one that is held (conn/hold.h), and whose deadlines are known. */
void deadlines_init(struct conn *conn);
/* It is held no longer: what has become due meanwhile is due now. */
void deadlines_resume(struct conn *conn);
/* Looks soon: the viewer has lost too much. */
void deadlines_hasten(struct conn *conn);

/* Its token's end was moved. */
void deadlines_renew(struct conn *conn);

void deadlines_stop(struct conn *conn);

/* A message is incomplete, which has a time; harmless when it is known already. It has ended when
 * assembly_started_ms is 0. */
void deadlines_begin_message(struct conn *conn);

/* The peer is there. */
void deadlines_take_pong(struct conn *conn);
