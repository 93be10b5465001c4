/* Things that leave a worker for others together, at the end of its turn: those that go out, in
 * order, and those that go home to the worker that made them. They are linked through themselves,
 * so that none needs memory to leave. All zero: empty. Owner worker only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

enum outbox_limits { OUTBOX_HOMES = 64 /* workers, one bit each */ };

struct worker;

struct outbox_item {
    /* Another thread reads it at home, where only this orders what was written before. */
    _Atomic(struct outbox_item *) next;
    void (*come_home)(struct worker *home, struct outbox_item *item); /* set by its maker */
};

struct outbox {
    struct outbox_item *first, *last;
    uint64_t homes; /* bit i: something goes home to worker i */
    uint64_t due;   /* of them, those for which it leaves at the end of this turn */
    struct outbox_item *homeward[OUTBOX_HOMES];
};

/* At the end of what goes out. */
void outbox_add(struct outbox *outbox, struct outbox_item *item);

/* Takes out all that goes out, in order; NULL: nothing. */
MUST_USE struct outbox_item *outbox_take(struct outbox *outbox);

/* To its home, in any order. One that may wait leaves with the next that goes there, or in the next
 * turn: what comes soon after it needs no letter of its own. */
void outbox_add_homeward(struct outbox *outbox, unsigned home, struct outbox_item *item,
                         bool may_wait);

/* Takes out all that is due to one of the workers, *ret_home. NULL: nothing more in this turn; what
 * waited is due in the next one. */
MUST_USE struct outbox_item *outbox_take_homeward(struct outbox *outbox, unsigned *ret_home);

/* All that goes home is due. */
void outbox_hurry(struct outbox *outbox);

/* The one behind item. Read it before item is given away. */
struct outbox_item *outbox_next(const struct outbox_item *item);
