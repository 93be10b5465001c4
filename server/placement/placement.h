/* On which worker a WebSocket is served. A topic begins on the worker with the least load, and its
 * first members join it there: what is published is sent without a letter to another worker. Each
 * PLACEMENT_SHARE_MIN of them begin a share on another worker; when all have one, they are kept
 * equal, so that a hot topic is sent by all workers at a time. Members that only publish are
 * counted for themselves: what they cost is receiving, and they join readers as long as they are
 * few. Shared by all workers behind a mutex, which is taken when WebSockets open and end, never on
 * the data path. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/hub/topic.h"
#include "server/loop/worker.h"

enum placement_limits {
    /* Members of a topic on one worker, before another one has any: a letter costs as much as a few
     * sends. */
    PLACEMENT_SHARE_MIN = 16,
    PLACEMENT_PERIOD_MS = 1000, /* between two looks of a worker at what it did */
};

enum placement_mode {
    PLACEMENT_ACCEPT, /* on the worker that accepted it */
    PLACEMENT_TOPIC,
};

/* A worker, as one topic sees it. */
struct placement_share {
    uint32_t readers; /* members of the topic */
    uint32_t writers; /* those that only publish */
    uint64_t load;    /* of all it serves, in any unit */
};

/* The worker for one more member. here: where it is, which is preferred to an equal one. Pure. */
unsigned placement_choose(const struct placement_share *shares, unsigned workers_count,
                          unsigned here, bool can_read);

struct placement;

/* NULL when memory is out. All other functions accept NULL: then each WebSocket stays where it was
 * accepted, and nothing is counted. */
MUST_USE struct placement *placement_create(unsigned workers_count);
/* CHECKs that no member is left. */
void placement_destroy(struct placement *placement);

/* The worker for one more member of the topic, and counts it there. */
unsigned placement_reserve(struct placement *placement, struct topic *topic, unsigned here,
                           bool can_read);

/* A member of the topic on that worker comes, or goes (the reserved one, too). */
void placement_enter(struct placement *placement, struct topic *topic, unsigned worker_index,
                     bool can_read);
void placement_leave(struct placement *placement, struct topic *topic, unsigned worker_index,
                     bool can_read);

/* On each worker, at the end of a turn: notes now and then how busy it is. */
void placement_on_turn_end(struct placement *placement, const struct worker *worker);
