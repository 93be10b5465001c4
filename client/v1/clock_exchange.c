#include "client/v1/clock_exchange.h"

static const uint64_t round_trip_max_us = CLOCK_EXCHANGE_ROUND_TRIP_MAX_S * UINT64_C(1000000);
/* Times on the wire are below it (docs/protocol.md), so no sum below overflows. */
static const uint64_t time_max_us = UINT64_C(1) << 53;

bool clock_exchange_take(struct clock_exchange *exchange, uint64_t asked_us, uint64_t arrived_us,
                         uint64_t answered_us, uint64_t returned_us)
{
    if (arrived_us == 0 || answered_us < arrived_us || answered_us >= time_max_us ||
        returned_us < asked_us || returned_us >= time_max_us ||
        returned_us - asked_us > round_trip_max_us) {
        return false;
    }
    uint64_t away_us = returned_us - asked_us, there_us = answered_us - arrived_us;

    if (there_us > away_us) {
        return false;
    }
    unsigned place = exchange->count++ % CLOCK_EXCHANGE_SAMPLES;

    exchange->samples[place].round_trip_us = away_us - there_us;
    exchange->samples[place].offset_us =
        ((int64_t)arrived_us - (int64_t)asked_us + ((int64_t)answered_us - (int64_t)returned_us)) /
        2;
    return true;
}

uint64_t clock_exchange_relay_us(const struct clock_exchange *exchange, uint64_t local_us)
{
    unsigned kept =
        exchange->count < CLOCK_EXCHANGE_SAMPLES ? exchange->count : CLOCK_EXCHANGE_SAMPLES;
    unsigned best = 0;

    if (kept == 0) {
        return 0;
    }
    for (unsigned i = 1; i < kept; i++) {
        if (exchange->samples[i].round_trip_us < exchange->samples[best].round_trip_us) {
            best = i;
        }
    }
    int64_t relay_us = (int64_t)local_us + exchange->samples[best].offset_us;

    return relay_us > 0 ? (uint64_t)relay_us : 0;
}

uint64_t clock_exchange_round_trip_us(const struct clock_exchange *exchange)
{
    return exchange->count == 0
               ? 0
               : exchange->samples[(exchange->count - 1) % CLOCK_EXCHANGE_SAMPLES].round_trip_us;
}
