/* How long messages take on each part of their way, as histograms: within an eighth, from 1 µs to
 * some 19 hours. The client's mutex guards it. */
#pragma once

#include <stdint.h>

#include "client/relay_client.h"

enum hop_latency_sizes {
    HOP_LATENCY_STEPS_LOG2 = 3, /* 8 buckets for each power of two */
    HOP_LATENCY_BUCKETS = 34 << HOP_LATENCY_STEPS_LOG2,
};

/* A zeroed struct is empty. */
struct hop_latency {
    struct {
        uint64_t counts[HOP_LATENCY_BUCKETS];
        uint64_t total;
        uint64_t last_us;
    } hops[RELAY_CLIENT_HOPS];
};

/* The stamps of one message; those that are 0 are not known. A clock that is a little wrong may put
 * an arrival in front of its departure: that counts as no time. */
void hop_latency_take(struct hop_latency *latency, const struct relay_client_stamps *stamps);

void hop_latency_read(const struct hop_latency *latency, enum relay_client_hop hop,
                      struct relay_client_hop_latency *ret_latency);
