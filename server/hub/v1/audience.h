/* The audience of a topic, for connections that speak relay.v1: how many watch, how many publish,
 * and that a viewer needs a key picture. Counts are the topic's, atomic; each worker tells its own
 * members, when a letter says that there is news: at most one such letter is on its way to a worker
 * at a time, and only to workers that have members. Nothing is told in the turn of a message. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/check.h"
#include "base/list.h"
#include "server/loop/mailbox.h"
#include "server/loop/timer.h"
#include "wire/subprotocol/relay_v1.h"

struct lease_claim;
struct send_queue_bounds;
struct subscriber;
struct topic;
struct worker;

enum audience_limits {
    AUDIENCE_NEWS_MS = 100,         /* between two notices of counts */
    AUDIENCE_KEY_MS = 500,          /* between two requests for a key picture */
    AUDIENCE_NOTICES_QUEUED_MAX = 8 /* for one that does not read; then it is told later */
};

/* The topic's own. */
struct audience {
    _Atomic uint32_t viewers;    /* connections that may read */
    _Atomic uint32_t publishers; /* connections that have sent something */
    _Atomic uint64_t workers;    /* bit i: worker i has members */
    _Atomic uint64_t key_ms;     /* of the newest key picture */
};

/* The topic's on one worker, which owns all but news. */
struct audience_part {
    struct list members; /* struct member.node */
    _Atomic uint32_t news;
    uint32_t pending; /* news that wait for their time */
    struct call call;
    struct topic *topic;
    struct worker *worker;
    struct timer timer;
    uint64_t told_ms, key_told_ms, key_wanted_ms;
};

/* A connection with relay.v1; embedded in its state. */
struct member {
    struct list node;
    struct subscriber *subscriber;
    const struct send_queue_bounds *bounds;
    bool can_read, can_write;
    bool is_held; /* it is told later: not all of the audience is there yet */
    bool was_told;
    uint32_t told_viewers, told_publishers;
    const struct lease_claim *claim; /* of a topic with exclusive control; or NULL */
    enum relay_v1_lease_state told_lease;
    struct relay_v1_control kept; /* of audience_say_surely */
    bool keeps;                   /* it was not told yet */
};

static inline void audience_part_init(struct audience_part *part, struct topic *topic)
{
    *part = (struct audience_part){.topic = topic};
    list_init(&part->members);
}

/* No member is left, nor a letter on its way. */
static inline void audience_part_check_empty(const struct audience_part *part)
{
    CHECK(list_empty(&part->members));
    CHECK(atomic_load(&part->news) == 0);
    CHECK(!part->timer.armed);
}

/* Whether any connection wants stamps and news. Any thread. */
static inline bool audience_listens(const struct audience *audience)
{
    return atomic_load_explicit(&audience->workers, memory_order_relaxed) != 0;
}

/* A connection comes or goes that may read. Requires a reference of the topic. */
void audience_add_viewer(struct worker *worker, struct topic *topic);
void audience_remove_viewer(struct worker *worker, struct topic *topic);

/* A connection has sent its first message, or goes after that. */
void audience_add_publisher(struct worker *worker, struct topic *topic);
void audience_remove_publisher(struct worker *worker, struct topic *topic);

/* Something changed that members are told of: who has the lease. */
void audience_note(struct worker *worker, struct topic *topic);

/* A member, with all but its node set, is told at once, then of changes. */
void audience_join(struct worker *worker, struct topic *topic, struct member *member);
/* One that was told in another program, and is held. */
void audience_return(struct worker *worker, struct topic *topic, struct member *member);
void audience_leave(struct worker *worker, struct topic *topic, struct member *member);

/* Asks the members that may write, on all workers, for a key picture. Safe in the middle of a
 * fan-out. */
void audience_ask_key(struct worker *worker, struct topic *topic, enum relay_v1_key_reason reason);

/* Queues a notice of the fixed size now, or later what was kept last, when there is room. */
void audience_say_surely(struct worker *worker, struct topic *topic, struct member *member,
                         const struct relay_v1_control *control);

/* Queues a notice. False: there is no memory, or too many wait already. */
bool audience_say(struct worker *worker, struct member *member,
                  const struct relay_v1_control *control);
