#include "server/loop/pulse.h"

static uint64_t turns_of(const struct worker_group *group, unsigned index)
{
    return atomic_load_explicit(&group->workers[index].counters.turns, memory_order_relaxed);
}

bool pulse_feel(struct pulse *pulse, const struct worker_group *group, unsigned *ret_stuck)
{
    for (unsigned i = 0; i < group->workers_count; i++) {
        if (turns_of(group, i) == pulse->turns[i]) {
            *ret_stuck = i;
            return false;
        }
    }
    for (unsigned i = 0; i < group->workers_count; i++) {
        pulse->turns[i] = turns_of(group, i);
    }
    return true;
}
