/* A pause of all WebSockets of one worker, and of connections between two requests: the kernel
 * holds no operation of theirs, so that what was received and what was sent is known to the byte,
 * and nothing of theirs is due. Messages are queued for them meanwhile. Bytes that were on their
 * way here when it began wait in the phase, unread as far as that is possible. Owner worker only;
 * never blocks. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct conn;
struct conn_table;

struct hold {
    enum hold_state {
        HOLD_NONE,
        HOLD_BEGUN,   /* operations are being cancelled */
        HOLD_SETTLES, /* none is in flight; what was published leaves with the next submit */
        HOLD_DONE,
    } state;
    void (*done)(struct conn_table *table);
    uint64_t began_ms; /* 0: nothing is held, or for no time */
};

/* done runs at the end of a turn, once none of them has an operation in flight, nor an answer of
 * another worker on its way, and all that they published was posted in an earlier turn. CHECKs that
 * none is held. */
void hold_begin(struct conn_table *table, void (*done)(struct conn_table *table));

/* They go on; done does not run any more. Harmless when none is held. */
void hold_end(struct conn_table *table);

/* From the engine, at the end of each turn. True: the next turn must not wait. */
MUST_USE bool hold_on_turn_end(struct conn_table *table);

/* One that is made during a hold, before anything of it was started. */
void hold_include(struct conn *conn);
