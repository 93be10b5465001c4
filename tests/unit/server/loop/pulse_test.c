/* Goal: all workers turn, or one that does not is named. Method: their counters, without threads.
 */
#include "server/loop/pulse.h"

#include <criterion/criterion.h>

enum { WORKERS = 3 };

static struct worker workers[WORKERS];
static const struct worker_group group = {.workers = workers, .workers_count = WORKERS};
static struct pulse pulse;
static unsigned stuck;

static void turn_all_but(unsigned index)
{
    for (unsigned i = 0; i < WORKERS; i++) {
        if (i != index) {
            counters_increment(&workers[i].counters, turns);
        }
    }
}

Test(pulse, is_felt_when_each_worker_has_turned)
{
    cr_assert_not(pulse_feel(&pulse, &group, &stuck), "none has turned yet");
    for (unsigned i = 0; i < 3; i++) {
        turn_all_but(WORKERS);
        cr_assert(pulse_feel(&pulse, &group, &stuck));
        cr_assert_not(pulse_feel(&pulse, &group, &stuck));
        cr_assert_eq(stuck, 0);
    }
}

Test(pulse, names_a_worker_that_has_not)
{
    turn_all_but(WORKERS);
    cr_assert(pulse_feel(&pulse, &group, &stuck));
    for (unsigned i = 0; i < 3; i++) {
        turn_all_but(1);
        cr_assert_not(pulse_feel(&pulse, &group, &stuck));
        cr_assert_eq(stuck, 1);
    }
    counters_increment(&workers[1].counters, turns);
    cr_assert(pulse_feel(&pulse, &group, &stuck), "the others' turns since then count");
}
