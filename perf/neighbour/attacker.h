/* An attack at work: a process of its own, as nice as can be, so that the camera's generator keeps
 * its pace on the CPU they may share. Main thread. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/load_session.h"
#include "perf/neighbour/attack.h"
#include "perf/neighbour/attack_counts.h"
#include "perf/neighbour/child.h"

enum attacker_limits {
    ATTACKER_READY_MS = 60000, /* to join with all its members */
};

/* Outlives the attacker. */
struct attacker_config {
    struct attack attack;
    struct load_session session;
    uint16_t port; /* of the access API, on loopback */
    int cpu;       /* -1: any */
};

struct attacker {
    struct child child;
    struct attack_counts *counts; /* kept when it has ended */
};

/* Returns 0 when it waits to be let go, with the connections open that an attack has beforehand;
 * or -errno with a reason in error. Release it in both cases. */
MUST_USE int attacker_start(struct attacker *attacker, const struct attacker_config *config,
                            char error[static LOAD_TRANSPORT_ERROR_SIZE]);

/* Kills it, and with it all of its connections. The counts stay. */
void attacker_end(struct attacker *attacker);

/* Ends it if need be. Accepts a zeroed attacker. */
void attacker_release(struct attacker *attacker);
