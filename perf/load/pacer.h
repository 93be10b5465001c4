/* When each message is due: evenly spaced, driftless slots from a start time. A late caller may
 * take a few overdue slots at once; older ones are skipped rather than sent in a burst that no
 * camera would make. Pure arithmetic; owned by one thread. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/attributes.h"

struct pacer {
    uint64_t start_ns;
    uint64_t rate;          /* slots per second, all publishers together */
    uint64_t late_after_ns; /* a slot taken later than this counts as late */
    uint64_t skip_after_ns; /* a slot overdue by more than this is skipped */
    uint64_t next;          /* the next slot's number, from 0 */
    uint64_t late;
    uint64_t skipped;
};

/* rate > 0, late_after_ns ≤ skip_after_ns. */
void pacer_init(struct pacer *pacer, uint64_t start_ns, uint64_t rate, uint64_t late_after_ns,
                uint64_t skip_after_ns);

/* When the next slot is due. */
uint64_t pacer_due_ns(const struct pacer *pacer);

/* Takes the next slot if it is due. Call until it returns false. */
MUST_USE bool pacer_take(struct pacer *pacer, uint64_t now_ns, uint64_t *ret_slot);
