/* Exclusive control of a topic (RELAY_TOPIC_POLICY): at most one booking at a time may publish, the
 * first that sends. It gives the lease back when its last connection that sent goes, when it is
 * silent for too long, or when it says so; then a booking that asked for it has it. A connection
 * without a booking stands for itself. Any thread: publishers look at atomics, changes lock. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"
#include "wire/subprotocol/relay_v1.h"

struct lease {
    pthread_mutex_t mutex;
    uint64_t idle_ms;            /* 0: silence does not matter */
    _Atomic uint64_t holder;     /* key of a claim; 0: it is free */
    _Atomic uint64_t used_ms;    /* when the holder sent something, or got it */
    _Atomic uint64_t wanted_by;  /* key of a claim; 0: none asks */
    _Atomic uint32_t generation; /* of holders */
    uint32_t connections;        /* of the holder, that have sent */
    uint32_t wishes;             /* that were noted */
    uint32_t granted_wish;       /* by which the holder has it, 0: by none */
};

/* A connection's own part. */
struct lease_claim {
    uint64_t key;        /* of its booking; not 0 */
    uint32_t generation; /* it counts among the holder's connections; 0: it does not */
    uint32_t refused;    /* messages */
    uint32_t wish;       /* the last that it had noted; 0: none */
};

/* NULL: no memory. */
MUST_USE struct lease *lease_create(uint64_t idle_ms);
void lease_destroy(struct lease *lease); /* accepts NULL */

/* Whether a message may pass; takes the lease if it is free. *ret_changed: others have news. */
MUST_USE bool lease_use(struct lease *lease, struct lease_claim *claim, uint64_t now_ms,
                        bool *ret_changed);

/* The others return whether anything changed. */

/* The connection goes. */
bool lease_leave(struct lease *lease, struct lease_claim *claim, uint64_t now_ms);
/* It asks for the lease, or gives it back. */
bool lease_request(struct lease *lease, struct lease_claim *claim, uint64_t now_ms);
bool lease_give(struct lease *lease, const struct lease_claim *claim, uint64_t now_ms);
/* Takes it from a holder that is silent. */
bool lease_look(struct lease *lease, uint64_t now_ms);

/* The part of a connection in it, for another program. */
struct lease_standing {
    bool holds;    /* its booking has it, by something that the connection sent or asked for */
    bool has_sent; /* by the first */
    bool wants;    /* it asked, and waits */
    uint64_t used_ms;
};
struct lease_standing lease_standing(struct lease *lease, const struct lease_claim *claim);
/* The same in that program, where the connection goes on. */
void lease_return(struct lease *lease, struct lease_claim *claim,
                  const struct lease_standing *standing);

/* When lease_look may find something; UINT64_MAX: never. */
uint64_t lease_due_ms(const struct lease *lease);

/* How it stands for a connection. */
enum relay_v1_lease_state lease_state(const struct lease *lease, const struct lease_claim *claim);
