/* How fast a connection may send messages and still be served at once: a token bucket. One frame
 * costs one unit, and a message one more for every few viewers that it goes to. A connection that
 * is out of credit is a flood: its bytes wait until others have been served (phase_websocket.c),
 * and TCP slows it down. In one turn only few connections can spend their credit in a burst, since
 * all others would wait for thousands of new ones that each have theirs. Pure; owner worker only.
 */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum pace_limits {
    PACE_BURST = 4096,          /* units: some thousand lines at once are no flood */
    PACE_PER_SECOND = 5000,     /* units that come back */
    PACE_VIEWERS_PER_UNIT = 16, /* of the same worker */
    PACE_SLICE = 64,            /* units of one turn of a flood */
    PACE_TURN_BURST = 2048,     /* units of all connections in a turn, beyond a slice of each */
};

struct pace {
    uint32_t credit;
    uint64_t credited_ms; /* up to then */
};

/* Full. */
void pace_init(struct pace *pace, uint64_t now_ms);

/* Gives back what the time since the last call is worth. True: there is credit. now_ms never runs
 * backwards. */
bool pace_has_credit(struct pace *pace, uint64_t now_ms);

/* Takes units, or as many as there are. */
void pace_spend(struct pace *pace, uint32_t units);

/* Whether a connection that has credit goes on after so many units of its own in this turn, when
 * all have spent so many beyond their slices. */
bool pace_has_turn(uint32_t units, uint32_t burst_spent);

/* Units of a message to that many viewers. */
uint32_t pace_units(uint32_t viewers);
