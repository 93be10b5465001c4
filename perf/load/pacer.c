#include "perf/load/pacer.h"

#include "base/check.h"

static const uint64_t second_ns = 1000000000;

/* Computed from the number alone: adding up rounded intervals would drift. */
static uint64_t slot_due_ns(const struct pacer *pacer, uint64_t slot)
{
    return pacer->start_ns + slot / pacer->rate * second_ns +
           slot % pacer->rate * second_ns / pacer->rate;
}

void pacer_init(struct pacer *pacer, uint64_t start_ns, uint64_t rate, uint64_t late_after_ns,
                uint64_t skip_after_ns)
{
    CHECK(rate > 0);
    CHECK(late_after_ns <= skip_after_ns);
    *pacer = (struct pacer){
        .start_ns = start_ns,
        .rate = rate,
        .late_after_ns = late_after_ns,
        .skip_after_ns = skip_after_ns,
    };
}

uint64_t pacer_due_ns(const struct pacer *pacer)
{
    return slot_due_ns(pacer, pacer->next);
}

bool pacer_take(struct pacer *pacer, uint64_t now_ns, uint64_t *ret_slot)
{
    while (slot_due_ns(pacer, pacer->next) + pacer->skip_after_ns < now_ns) {
        pacer->next++;
        pacer->skipped++;
    }
    uint64_t due_ns = slot_due_ns(pacer, pacer->next);

    if (due_ns > now_ns) {
        return false;
    }
    if (now_ns - due_ns > pacer->late_after_ns) {
        pacer->late++;
    }
    *ret_slot = pacer->next++;
    return true;
}
