/* The doings of an attack so far, in memory that the attacker shares with the measuring process:
 * written by the attacker, all of its threads, and read by the other at any time. */
#pragma once

#include <stdatomic.h>
#include <stdint.h>

#include "perf/load/load_transport.h"

struct attack_counts {
    _Atomic uint64_t opened;               /* connections, or joins */
    _Atomic uint64_t refused;              /* likewise, that were not to be had */
    _Atomic uint64_t cut;                  /* ended by the server */
    _Atomic uint64_t open;                 /* now */
    _Atomic uint64_t open_peak;            /* the most at a time */
    _Atomic uint64_t sent_bytes;           /* before TLS */
    _Atomic uint64_t read_bytes;           /* likewise */
    char error[LOAD_TRANSPORT_ERROR_SIZE]; /* the last reason of a refusal; complete once it has
                                              ended */
};
