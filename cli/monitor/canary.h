/* The messages that relay monitor sends to itself through a relay, and the verdict on what comes
 * back: latency and consecutive misses. Pure: time comes from the caller, which locks when threads
 * share it. */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/bytes.h"
#include "cli/monitor/latency_histogram.h"

enum canary_sizes {
    CANARY_PROBE_SIZE = 8,
    CANARY_PROBES_MAX = 256, /* in flight; older ones are given up */
};

struct canary_settings {
    uint64_t threshold_ns; /* a message that takes longer is a miss */
    uint64_t silence_ns;   /* each such period without any message is a miss too */
    unsigned misses_max;   /* consecutive misses after which the relay is considered down */
};

struct canary {
    struct canary_settings settings;
    struct canary_probe {
        uint64_t stamp; /* as sent: wall clock, ns since 1970; 0: none */
        uint64_t sent_ns;
    } probes[CANARY_PROBES_MAX];
    unsigned next;
    uint64_t quiet_since_ns; /* the last message, or the last miss by silence */
    unsigned misses;         /* consecutive */
    uint64_t sent, good, late, silences, strange; /* in total */
    struct latency_histogram latency;
};

enum canary_verdict {
    CANARY_GOOD,
    CANARY_LATE,    /* a miss */
    CANARY_STRANGE, /* not one of ours, or a duplicate: does not count */
};

void canary_init(struct canary *canary, const struct canary_settings *settings, uint64_t now_ns);

/* Makes the next message: the wall clock in ns, big-endian without leading zeros. Its length. */
size_t canary_probe(struct canary *canary, uint64_t wall_ns, uint64_t now_ns,
                    uint8_t probe[static CANARY_PROBE_SIZE]);

/* *ret_latency_ns is set unless it is strange. */
enum canary_verdict canary_on_message(struct canary *canary, struct bytes message, uint64_t now_ns,
                                      uint64_t *ret_latency_ns);

/* True when another miss by silence was counted. */
bool canary_on_time(struct canary *canary, uint64_t now_ns);

/* Restarts the period of silence without counting a miss: it has another reason. */
void canary_excuse(struct canary *canary, uint64_t now_ns);

/* When silence becomes a miss next. */
uint64_t canary_wake_ns(const struct canary *canary);

/* True when there are enough consecutive misses. */
bool canary_is_dead(const struct canary *canary);

/* The monitor itself could not run: misses and silence restart from zero, and messages in flight do
 * not count. */
void canary_forgive(struct canary *canary, uint64_t now_ns);

/* Misses and silence restart from zero. */
void canary_restart(struct canary *canary, uint64_t now_ns);
