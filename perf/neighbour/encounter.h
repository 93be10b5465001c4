/* A camera beside a neighbour that attacks, in one run: the camera alone, and the camera during the
 * attack, each with a relay that is spawned for it, and the server's memory before, during and
 * after. Main thread. */
#pragma once

#include <openssl/types.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "perf/bench_settings.h"
#include "perf/measurement.h"
#include "perf/neighbour/attack.h"
#include "perf/neighbour/visitor.h"

enum encounter_camera {
    CAMERA_VIEWERS = 10,
    CAMERA_BYTES = 20000,
    CAMERA_RATE = 25,
};

enum encounter_percentile { ENCOUNTER_P50_PPM = 500000, ENCOUNTER_P99_PPM = 990000 };

/* The camera and the visitor in one of the two halves. */
struct encounter_half {
    struct measurement camera;
    struct visit_result visits[VISIT_COUNT];
};

struct encounter {
    const struct attack *attack;
    enum target target;
    unsigned round;               /* from 0 */
    char error[SPAWN_ERROR_SIZE]; /* why there are no figures; empty: there are */
    bool is_left_out;             /* the server does not offer what the attack needs */
    struct encounter_half alone;
    struct encounter_half beside;

    struct {
        uint64_t opened, refused, cut, open_peak, sent_bytes;
    } attacker;

    /* Resident; before: at the end of the camera's time alone. */
    uint64_t rss_before_bytes;
    uint64_t rss_peak_bytes; /* the most up to the attack's end */
    uint64_t rss_after_bytes;
};

/* Pictures that viewers should have seen and did not: lost, or never taken from the publisher. */
double encounter_half_lost_percent(const struct encounter_half *half);

/* So many millionths of the pictures that arrived took at most that long; 0: none arrived. */
double encounter_half_latency_ms(const struct encounter_half *half, unsigned ppm);

/* Makes the run: the camera alone first in even rounds, and beside the attack first in odd ones, so
 * that a machine that becomes slower or faster favours neither. tls: for wss; may be NULL for the
 * plain target. Failures are told in the encounter. */
void encounter_run(const struct bench_settings *settings, const struct attack *attack,
                   enum target target, unsigned round, SSL_CTX *tls,
                   struct encounter *ret_encounter);
