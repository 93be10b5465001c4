/* Many connections that an attack drives from one thread with one epoll: opened at a bounded rate,
 * each sends slices of the same repeating payload when they are due, and reads or does not. Runs in
 * the attacker's process until that is killed; tests stop it by the clock. */
#pragma once

#include <stdint.h>

#include "base/attributes.h"
#include "perf/load/connector.h"
#include "perf/load/load_session.h"
#include "perf/neighbour/attack.h"
#include "perf/neighbour/attack_counts.h"

/* The rest is the caller's and outlives the swarm. */
struct swarm_config {
    struct attack attack;
    const struct load_session *session;
    struct connector connector; /* of members */
    uint16_t port;              /* of the access API, on loopback */
    struct attack_counts *counts;
};

struct swarm;

/* Makes the payload, and opens all connections that are to be open before the attack begins. NULL
 * with the reason in counts->error; some connections that were refused are no failure. */
struct swarm *swarm_create(const struct swarm_config *config);

/* Attacks until the monotonic time. */
void swarm_run(struct swarm *swarm, uint64_t end_ns);

/* Resets what is open. Accepts NULL. */
void swarm_destroy(struct swarm *swarm);

/* The bytes that a connection may have sent in all after so many ns of attack: UINT64_MAX without
 * a pace. Connection index of count: the later ones send their second slice earlier, so that they
 * are spread over the interval. */
uint64_t swarm_allowance(const struct attack *attack, size_t slice_bytes, uint64_t elapsed_ns,
                         unsigned index, unsigned count);
