/* A stop that takes its time: viewers are closed one after another, so that they do not all come to
 * the next relay at once; publishers stay until the end, which is not ours. Of one worker; owner
 * worker only. */
#pragma once

#include "server/conn/conn_table.h"

enum draining_limits {
    DRAINING_TICK_MS = 50,
    DRAINING_HANDOVER_SHARE = 10, /* of the time, in which WebSockets that stayed are closed */
};

/* After a hand-over: the WebSockets that stayed, publishers too, are closed within a tenth of
 * duration_ms, as the rest of their topics is elsewhere; handshakes and requests have all of it.
 * shared->drains as below, when nothing is left at all. */
void draining_start_after_handover(struct conn_table *table, uint64_t duration_ms);

/* Closes the viewers of the table with 1001, evenly over duration_ms. When none is left, or the
 * time is over, shared->drains falls by one. */
void draining_start(struct conn_table *table, uint64_t duration_ms);

/* Before the stop proper, whether draining or not. */
void draining_stop(struct conn_table *table);
