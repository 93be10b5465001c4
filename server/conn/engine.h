/* All connections of one worker: opens the listeners, sends at the end of a turn, stops. Owner
 * worker only. */
#pragma once

#include "server/conn/conn_table.h"

enum engine_limits {
    UNFINISHED_US_MAX = 1000, /* of a turn, for handshakes and requests, plus the last of them */
    UNFINISHED_BYTES_MAX = 1024 * 1024, /* likewise, of their answers, which are sent behind it */
    PACED_US_MAX = 1000,                /* the same for those that send too fast */
    EVICTED_MAX = 4096,                 /* of a worker, that are being closed for others' sake */
    WALL_STEP_MS_MIN = 250, /* of the wall clock; less is not worth a look at every token */
};

/* Takes over the listening descriptors; accepts, unless is_held, in which case listener_resume_all
 * begins. 0 or -errno. On the worker's thread. */
MUST_USE int engine_init(struct conn_table *table, struct worker *worker,
                         struct conn_shared *shared, const struct listener_socket *sockets,
                         unsigned listeners_count, bool is_held);

/* CHECKs that no connection is open. */
void engine_deinit(struct conn_table *table);

/* Handshakes, requests, and connections that send too fast: for so long that the data of others
 * hardly waits; the rest have a later turn. */
void engine_on_work(struct conn_table *table);

/* No handshake goes on, and no request is begun, until the end of the hold: what comes meanwhile
 * waits. */
void engine_hold_requests(struct conn_table *table, bool is_held);

/* End of a turn: sends, and receives that had no buffer. */
void engine_on_turn_end(struct conn_table *table);

/* Stops accepting and closes every connection politely (WebSockets with 1001). */
void engine_stop(struct conn_table *table);

/* True when no connection and no accept is left. */
bool engine_is_drained(const struct conn_table *table);
