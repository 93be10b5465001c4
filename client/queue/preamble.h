/* Messages sent first on each connection, because later ones cannot be decoded without them (a
 * container's stream headers). Immutable and reference-counted; the client's mutex guards the
 * count. In front of each there is room for an envelope of relay.v1, which is the client thread's.
 */
#pragma once

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/attributes.h"
#include "client/relay_client.h"
#include "wire/subprotocol/relay_v1.h"

struct preamble {
    unsigned references;
    size_t count;
    struct relay_client_slice messages[]; /* their bytes follow the struct */
};

/* A copy with one reference. 0, -EMSGSIZE (larger than bytes_max) or -ENOMEM. */
MUST_USE int preamble_create(const struct relay_client_slice *messages, size_t count,
                             size_t bytes_max, struct preamble **ret_preamble);

/* The room in front of a message: RELAY_V1_ENVELOPE_SIZE bytes, which the message follows. */
uint8_t *preamble_envelope(const struct preamble *preamble, size_t index);

/* All three accept NULL: no preamble. */
struct preamble *preamble_ref(struct preamble *preamble);
void preamble_unref(struct preamble *preamble);
bool preamble_equals(const struct preamble *preamble, const struct relay_client_slice *messages,
                     size_t count);
