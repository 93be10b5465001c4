/* Fetches the newest picture of a topic from the worker that keeps it for viewers that join
 * (hub/stream_cache.h). If that is another one, the request waits (deferred.h). */
#pragma once

#include "server/access/access.h"
#include "server/conn/deferred.h"

enum snapshot_fetch_limits {
    SNAPSHOTS_MAX = 8, /* copies on their way to one worker; more are refused with 503 */
    /* A worker that keeps pictures copies one more until it has copied so much in such a time, as
     * its publishers and viewers wait meanwhile; more are refused with 503 too. */
    SNAPSHOT_BYTES_MAX = 8 * 1024 * 1024,
    SNAPSHOT_MS = 100,
};

/* For ACCESS_ACTION_SNAPSHOT. True: the reply can be sent now, as 404, 406 and 503 as well. False:
 * the request is deferred, and answer gets the reply. */
bool snapshot_fetch_carry_out(struct conn *conn, struct access_reply *reply,
                              deferred_answer_fn *answer);
