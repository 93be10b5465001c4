/* Messages of one topic on their way from one worker to others: what was published in one turn, in
 * order, for the same workers. One parcel is shared by all of them; each gets a letter with its
 * address and only reads it. The last that has taken it sends it home, which is where its topic
 * learns that there is room for more (hub/underway.h). Its memory is of the worker that made it,
 * charged to the topic. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "server/loop/outbox.h"

enum parcel_limits {
    PARCEL_MESSAGES_MAX = 32,
    PARCEL_SMALL_BYTES = 256 * 1024, /* below, its way home may take a turn longer */
};

struct message;
struct topic;
struct worker;

struct parcel {
    struct outbox_item item; /* until it is posted, and on its way home */
    struct topic *topic;
    uint64_t targets;         /* bit i: worker i gets it */
    _Atomic uint32_t holders; /* of them, those that have not taken it */
    uint16_t home;            /* index of the worker that made it */
    uint16_t count;
    uint64_t bytes; /* of the messages */
    struct message *messages[PARCEL_MESSAGES_MAX];
};

/* Puts message into the topic's open parcel for these workers, with a hold for each of them. False,
 * with nothing taken, when memory is exhausted. The parcel is in the worker's outbox. */
MUST_USE bool parcel_pack(struct worker *worker, struct topic *topic, uint64_t targets,
                          struct message *message);

/* Posts it, taken from the outbox, to its targets. What a target is too far behind for is lost to
 * it; counted. */
void parcel_post(struct worker *worker, struct parcel *parcel);

/* It arrived, with all that was written into it. */
void parcel_arrive(const struct parcel *parcel);

/* One target is done with it, but for the holds of its messages. */
void parcel_drop_hold(struct worker *worker, struct parcel *parcel);

/* It did not reach one of its targets: all of it is lost there; counted. */
void parcel_give_up(struct worker *worker, struct parcel *parcel);
