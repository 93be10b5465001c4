#include "client/v1/hop_latency.h"

#include "base/octaves.h"

static void record(struct hop_latency *latency, enum relay_client_hop hop, uint64_t from_us,
                   uint64_t until_us)
{
    if (from_us == 0 || until_us == 0) {
        return;
    }
    uint64_t took_us = until_us > from_us ? until_us - from_us : 0;
    unsigned bucket = octaves_bucket_of(took_us, HOP_LATENCY_STEPS_LOG2);

    bucket = bucket < HOP_LATENCY_BUCKETS ? bucket : HOP_LATENCY_BUCKETS - 1;
    latency->hops[hop].counts[bucket]++;
    latency->hops[hop].total++;
    latency->hops[hop].last_us = took_us;
}

void hop_latency_take(struct hop_latency *latency, const struct relay_client_stamps *stamps)
{
    record(latency, RELAY_CLIENT_HOP_TO_RELAY, stamps->sent_us, stamps->relayed_us);
    record(latency, RELAY_CLIENT_HOP_IN_RELAY, stamps->relayed_us, stamps->forwarded_us);
    record(latency, RELAY_CLIENT_HOP_TO_VIEWER, stamps->forwarded_us, stamps->arrived_us);
    record(latency, RELAY_CLIENT_HOP_TOTAL, stamps->sent_us, stamps->arrived_us);
}

static uint64_t share_us(const struct hop_latency *latency, enum relay_client_hop hop, unsigned ppm)
{
    uint64_t total = latency->hops[hop].total;

    return total == 0 ? 0
                      : octaves_bucket_end(octaves_find(latency->hops[hop].counts,
                                                        HOP_LATENCY_BUCKETS, total, ppm),
                                           HOP_LATENCY_STEPS_LOG2);
}

void hop_latency_read(const struct hop_latency *latency, enum relay_client_hop hop,
                      struct relay_client_hop_latency *ret_latency)
{
    *ret_latency = (struct relay_client_hop_latency){
        .messages = latency->hops[hop].total,
        .last_us = latency->hops[hop].last_us,
        .p50_us = share_us(latency, hop, 500000),
        .p99_us = share_us(latency, hop, 990000),
    };
}
