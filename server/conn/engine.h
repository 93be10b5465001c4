/* All connections of one worker: opens the listeners, sends at the end of a turn, stops. Owner
 * worker only. */
#pragma once

#include "server/conn/conn_table.h"

/* Takes over the listening descriptors. 0 or -errno. On the worker's thread. */
MUST_USE int engine_init(struct conn_table *table, struct worker *worker,
                         struct conn_shared *shared, const int *fds,
                         const enum listener_role *roles, unsigned listeners_count);

/* CHECKs that no connection is open. */
void engine_deinit(struct conn_table *table);

/* End of a turn: sends, and receives that had no buffer. */
void engine_on_turn_end(struct conn_table *table);

/* Stops accepting and closes every connection politely (WebSockets with 1001). */
void engine_stop(struct conn_table *table);

/* True when no connection and no accept is left. */
bool engine_is_drained(const struct conn_table *table);
