/* How far the relay's clock is ahead of this program's, and how long a message takes there and
 * back, from exchanges over relay.v1 (docs/protocol.md). The relay's clock is a wall clock, ours
 * CLOCK_MONOTONIC, so nothing here steps when a wall clock of this machine does. Pure; one owner,
 * one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

enum clock_exchange_limits {
    CLOCK_EXCHANGE_SAMPLES = 8, /* of these, the shortest round trip counts: it was delayed least */
    CLOCK_EXCHANGE_ROUND_TRIP_MAX_S = 60,
};

struct clock_exchange {
    struct {
        uint64_t round_trip_us;
        int64_t offset_us;
    } samples[CLOCK_EXCHANGE_SAMPLES];
    unsigned count; /* taken so far */
};

/* All in microseconds: asked and returned by our clock, arrived and answered by the relay's. False:
 * no exchange can be like that, and nothing is learnt. */
bool clock_exchange_take(struct clock_exchange *exchange, uint64_t asked_us, uint64_t arrived_us,
                         uint64_t answered_us, uint64_t returned_us);

/* The relay's time when ours is local_us; 0: not known yet. */
uint64_t clock_exchange_relay_us(const struct clock_exchange *exchange, uint64_t local_us);

/* The last exchange's; 0: none. */
uint64_t clock_exchange_round_trip_us(const struct clock_exchange *exchange);
