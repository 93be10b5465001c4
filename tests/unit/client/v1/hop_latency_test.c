/* Goal: each part of the way has its own percentiles, unknown times count nowhere, and no time is
 * too strange. Method: stamps of chosen distances. */
#include "client/v1/hop_latency.h"

#include <criterion/criterion.h>

static struct hop_latency latency;

static struct relay_client_hop_latency read_hop(enum relay_client_hop hop)
{
    struct relay_client_hop_latency got;

    hop_latency_read(&latency, hop, &got);
    return got;
}

Test(hop_latency, measures_each_hop)
{
    const struct relay_client_stamps stamps = {
        .sent_us = 1000, .relayed_us = 1007, .forwarded_us = 1010, .arrived_us = 1015};

    hop_latency_take(&latency, &stamps);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TO_RELAY).last_us, 7);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TO_RELAY).p50_us, 7);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_IN_RELAY).p99_us, 3);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TO_VIEWER).p50_us, 5);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TOTAL).p50_us, 15);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TOTAL).messages, 1);
}

Test(hop_latency, counts_no_unknown_times)
{
    const struct relay_client_stamps unstamped = {
        .relayed_us = 1007, .forwarded_us = 1010, .arrived_us = 1015};
    const struct relay_client_stamps none = {.sent_us = 0};

    hop_latency_take(&latency, &unstamped);
    hop_latency_take(&latency, &none);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TO_RELAY).messages, 0);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TO_RELAY).p99_us, 0);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_IN_RELAY).messages, 1);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_TOTAL).messages, 0);
}

Test(hop_latency, finds_percentiles_within_an_eighth)
{
    for (uint64_t i = 1; i <= 1000; i++) {
        const struct relay_client_stamps stamps = {.relayed_us = 1, .forwarded_us = 1 + i};

        hop_latency_take(&latency, &stamps);
    }
    struct relay_client_hop_latency got = read_hop(RELAY_CLIENT_HOP_IN_RELAY);

    cr_expect(got.p50_us >= 500 && got.p50_us <= 500 + 500 / 8, "%lu", (unsigned long)got.p50_us);
    cr_expect(got.p99_us >= 990 && got.p99_us <= 990 + 990 / 8, "%lu", (unsigned long)got.p99_us);
}

Test(hop_latency, takes_strange_times)
{
    const struct relay_client_stamps backwards = {.relayed_us = 9, .forwarded_us = 8};
    const struct relay_client_stamps ages = {.relayed_us = 1, .forwarded_us = UINT64_MAX};

    hop_latency_take(&latency, &backwards);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_IN_RELAY).p99_us, 0);
    hop_latency_take(&latency, &ages);
    cr_expect_eq(read_hop(RELAY_CLIENT_HOP_IN_RELAY).messages, 2);
    cr_expect_gt(read_hop(RELAY_CLIENT_HOP_IN_RELAY).p99_us, UINT64_C(3600) * 1000000);
}
