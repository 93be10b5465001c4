/* Goal: a timer fires once, never early, and within one tick after it is due, whatever handlers do
 * and however long the thread slept.
 * Method: an invented clock; single cases, then random use against a plain list of deadlines. */
#include <criterion/criterion.h>
#include <stdlib.h>

#include "server/loop/timer.h"

enum { ROUND_MS = TIMER_TICK_MS * TIMER_SLOTS, START_MS = 1000 * 1000 + 37 };

struct alarm {
    struct timer timer;
    struct timer_wheel *wheel;
    unsigned fired;
    uint64_t rearm_ms; /* 0: no */
    struct alarm *victim;
};

static void on_due(struct timer *timer)
{
    struct alarm *alarm = container_of(timer, struct alarm, timer);

    cr_assert(!timer->armed, "a timer that fires is disarmed already");
    alarm->fired++;
    if (alarm->victim != NULL) {
        timer_disarm(&alarm->victim->timer);
    }
    if (alarm->rearm_ms != 0) {
        timer_arm(alarm->wheel, timer, alarm->rearm_ms);
    }
}

static void alarm_init(struct alarm *alarm, struct timer_wheel *wheel)
{
    *alarm = (struct alarm){.wheel = wheel};
    timer_init(&alarm->timer, on_due);
}

Test(timer, fires_once_and_within_one_tick_after_it_is_due)
{
    static const uint64_t delays_ms[] = {
        0,   1,    62,   63,           64,           99,           100,
        101, 5000, 9999, ROUND_MS - 1, ROUND_MS,     ROUND_MS + 1, ROUND_MS + 100,
        50,  200,  300,  2 * ROUND_MS, 3 * ROUND_MS, 7 * ROUND_MS, 60 * 60 * 1000,
    };

    for (size_t i = 0; i < ARRAY_LENGTH(delays_ms); i++) {
        struct timer_wheel wheel;
        struct alarm alarm;
        uint64_t due_ms = START_MS + delays_ms[i];
        uint64_t now_ms = START_MS;

        timer_wheel_init(&wheel, START_MS);
        alarm_init(&alarm, &wheel);
        timer_arm(&wheel, &alarm.timer, due_ms);
        cr_assert(alarm.timer.armed);
        while (alarm.fired == 0) {
            now_ms += 7;
            timer_wheel_advance(&wheel, now_ms);
            cr_assert(alarm.fired == 0 || now_ms >= due_ms, "%lu ms: early", delays_ms[i]);
            cr_assert(alarm.fired == 1 || now_ms < due_ms + TIMER_TICK_MS, "%lu ms: late",
                      delays_ms[i]);
        }
        cr_assert(!alarm.timer.armed);
        for (unsigned step = 0; step < 2 * TIMER_SLOTS; step++) {
            now_ms += TIMER_TICK_MS;
            timer_wheel_advance(&wheel, now_ms);
        }
        cr_assert_eq(alarm.fired, 1);
    }
}

Test(timer, fires_in_the_next_tick_when_it_is_armed_for_the_past)
{
    struct timer_wheel wheel;
    struct alarm alarm;

    timer_wheel_init(&wheel, START_MS);
    alarm_init(&alarm, &wheel);
    timer_arm(&wheel, &alarm.timer, 1);
    timer_wheel_advance(&wheel, START_MS);
    cr_assert_eq(alarm.fired, 0, "not in the tick that is being looked at");
    timer_wheel_advance(&wheel, START_MS + TIMER_TICK_MS);
    cr_assert_eq(alarm.fired, 1);
}

Test(timer, moves_when_it_is_armed_again)
{
    struct timer_wheel wheel;
    struct alarm alarm;

    timer_wheel_init(&wheel, START_MS);
    alarm_init(&alarm, &wheel);
    timer_arm(&wheel, &alarm.timer, START_MS + 300);
    timer_arm(&wheel, &alarm.timer, START_MS + 1000);
    timer_wheel_advance(&wheel, START_MS + 999);
    cr_assert_eq(alarm.fired, 0);
    timer_arm(&wheel, &alarm.timer, START_MS + 1200);
    timer_wheel_advance(&wheel, START_MS + 1199);
    cr_assert_eq(alarm.fired, 0);
    timer_arm(&wheel, &alarm.timer, START_MS + 1201);
    timer_wheel_advance(&wheel, START_MS + 1301);
    cr_assert_eq(alarm.fired, 1);
}

Test(timer, can_be_disarmed_at_any_time)
{
    struct timer_wheel wheel;
    struct alarm alarm;

    timer_wheel_init(&wheel, START_MS);
    alarm_init(&alarm, &wheel);
    timer_disarm(&alarm.timer);
    timer_arm(&wheel, &alarm.timer, START_MS + 200);
    timer_disarm(&alarm.timer);
    timer_disarm(&alarm.timer);
    cr_assert(!alarm.timer.armed);
    timer_wheel_advance(&wheel, START_MS + ROUND_MS);
    cr_assert_eq(alarm.fired, 0);
    timer_arm(&wheel, &alarm.timer, START_MS + ROUND_MS + 200);
    timer_wheel_advance(&wheel, START_MS + ROUND_MS + 300);
    cr_assert_eq(alarm.fired, 1);
    timer_disarm(&alarm.timer);
}

Test(timer, does_not_fire_when_a_handler_disarms_it)
{
    /* All are due in the same tick; the middle one takes its neighbours with it, whichever of them
     * comes first. */
    for (int victim = 0; victim < 3; victim++) {
        struct timer_wheel wheel;
        struct alarm alarms[3];

        timer_wheel_init(&wheel, START_MS);
        for (unsigned i = 0; i < 3; i++) {
            alarm_init(&alarms[i], &wheel);
            timer_arm(&wheel, &alarms[i].timer, START_MS + 500);
        }
        for (int i = 0; i < 3; i++) {
            alarms[i].victim = i == victim ? NULL : &alarms[victim];
        }
        timer_wheel_advance(&wheel, START_MS + 600);
        for (int i = 0; i < 3; i++) {
            /* The first of the list fires before anybody could disarm it. */
            cr_assert_eq(alarms[i].fired, i == victim && victim != 0 ? 0 : 1, "%d of victim %d", i,
                         victim);
            cr_assert(!alarms[i].timer.armed);
        }
        timer_wheel_advance(&wheel, START_MS + 2 * ROUND_MS);
        cr_assert_eq(alarms[victim].fired, victim == 0 ? 1 : 0);
    }
}

Test(timer, can_be_armed_again_by_its_own_handler)
{
    struct timer_wheel wheel;
    struct alarm alarm;
    uint64_t now_ms = START_MS;

    timer_wheel_init(&wheel, now_ms);
    alarm_init(&alarm, &wheel);
    timer_arm(&wheel, &alarm.timer, now_ms + 1000);
    for (unsigned i = 0; i < 200; i++) {
        now_ms += 1100;
        alarm.rearm_ms = now_ms + 1000;
        timer_wheel_advance(&wheel, now_ms);
        cr_assert_eq(alarm.fired, i + 1);
        cr_assert(alarm.timer.armed);
    }
}

Test(timer, fires_after_a_sleep_of_any_length)
{
    static const uint64_t sleeps_ms[] = {ROUND_MS - 100, ROUND_MS,     ROUND_MS + 100,
                                         2 * ROUND_MS,   9 * ROUND_MS, 86400 * 1000};

    for (size_t i = 0; i < ARRAY_LENGTH(sleeps_ms); i++) {
        struct timer_wheel wheel;
        struct alarm due[TIMER_SLOTS], later;
        uint64_t now_ms = START_MS + sleeps_ms[i];

        timer_wheel_init(&wheel, START_MS);
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++) {
            alarm_init(&due[slot], &wheel);
            timer_arm(&wheel, &due[slot].timer,
                      START_MS + (uint64_t)slot * (sleeps_ms[i] - 100) / TIMER_SLOTS);
        }
        alarm_init(&later, &wheel);
        timer_arm(&wheel, &later.timer, now_ms + 1);
        timer_wheel_advance(&wheel, now_ms);
        for (unsigned slot = 0; slot < TIMER_SLOTS; slot++) {
            cr_assert_eq(due[slot].fired, 1, "sleep of %lu ms: timer %u", sleeps_ms[i], slot);
        }
        cr_assert_eq(later.fired, 0);
        timer_wheel_advance(&wheel, now_ms + 101);
        cr_assert_eq(later.fired, 1);
    }
}

/* Handlers that run after a long sleep may arm timers that are due at once, or a little later. */
Test(timer, is_not_forgotten_when_a_handler_arms_it_after_a_long_sleep)
{
    for (uint64_t extra_ms = 0; extra_ms <= 300; extra_ms += 100) {
        for (unsigned slot = 1; slot < TIMER_SLOTS; slot += 17) {
            struct timer_wheel wheel;
            struct alarm alarm;
            uint64_t now_ms = (START_MS + 5 * ROUND_MS) / 1000 * 1000;

            timer_wheel_init(&wheel, START_MS);
            alarm_init(&alarm, &wheel);
            timer_arm(&wheel, &alarm.timer, START_MS + slot * TIMER_TICK_MS);
            alarm.rearm_ms = now_ms - 200 + extra_ms;
            timer_wheel_advance(&wheel, now_ms);
            cr_assert_geq(alarm.fired, 1);
            alarm.rearm_ms = 0;
            unsigned fired = alarm.fired;
            bool armed = alarm.timer.armed;

            timer_wheel_advance(&wheel, now_ms + 2 * TIMER_TICK_MS);
            cr_assert_eq(alarm.fired, fired + armed, "slot %u, %lu ms", slot, extra_ms);
        }
    }
}

Test(timer, wheel_says_how_long_to_wait)
{
    struct timer_wheel wheel;
    struct alarm alarm;
    uint64_t now_ms = START_MS;

    timer_wheel_init(&wheel, now_ms);
    cr_assert_eq(timer_wheel_wait_ms(&wheel, now_ms), -1, "nothing is armed");
    alarm_init(&alarm, &wheel);
    for (uint64_t delay_ms = 0; delay_ms < 3 * ROUND_MS; delay_ms += 1 + delay_ms / 3) {
        now_ms += 13;
        timer_wheel_advance(&wheel, now_ms);
        uint64_t due_ms = now_ms + delay_ms;
        unsigned naps = 0;

        alarm.fired = 0;
        timer_arm(&wheel, &alarm.timer, due_ms);
        while (alarm.fired == 0) {
            int64_t wait_ms = timer_wheel_wait_ms(&wheel, now_ms);

            cr_assert_gt(wait_ms, 0, "the loop would spin");
            now_ms += (uint64_t)wait_ms;
            timer_wheel_advance(&wheel, now_ms);
            naps++;
        }
        cr_assert_geq(now_ms, due_ms);
        cr_assert_leq(now_ms, due_ms + TIMER_TICK_MS, "slept too long for %lu ms", delay_ms);
        cr_assert_leq(naps, 1 + delay_ms / ROUND_MS, "woke up for nothing");
        cr_assert_eq(timer_wheel_wait_ms(&wheel, now_ms), -1);
    }
}

Test(timer, wheel_does_not_wait_for_what_is_overdue)
{
    struct timer_wheel wheel;
    struct alarm alarm;

    timer_wheel_init(&wheel, START_MS);
    alarm_init(&alarm, &wheel);
    timer_arm(&wheel, &alarm.timer, START_MS + 500);
    cr_assert_eq(timer_wheel_wait_ms(&wheel, START_MS + 5000), 0);
    timer_wheel_advance(&wheel, START_MS + 5000);
    cr_assert_eq(alarm.fired, 1);
}

Test(timer, wheel_waits_no_longer_once_the_only_timer_was_disarmed)
{
    struct timer_wheel wheel;
    struct alarm alarm;

    timer_wheel_init(&wheel, START_MS);
    alarm_init(&alarm, &wheel);
    timer_arm(&wheel, &alarm.timer, START_MS + 500);
    timer_disarm(&alarm.timer);
    timer_wheel_advance(&wheel, START_MS + 700);
    cr_assert_eq(timer_wheel_wait_ms(&wheel, START_MS + 700), -1);
}

Test(timer, keeps_its_promise_under_random_use)
{
    enum { ALARMS = 200, STEPS = 20000 };
    static struct alarm alarms[ALARMS];
    static uint64_t due_ms[ALARMS]; /* 0: not armed */
    struct timer_wheel wheel;
    uint64_t now_ms = START_MS;
    unsigned fired_total = 0;

    srand(11);
    timer_wheel_init(&wheel, now_ms);
    for (unsigned i = 0; i < ALARMS; i++) {
        alarm_init(&alarms[i], &wheel);
    }
    for (unsigned step = 0; step < STEPS; step++) {
        unsigned i = (unsigned)rand() % ALARMS;

        if (rand() % 4 == 0) {
            timer_disarm(&alarms[i].timer);
            due_ms[i] = 0;
        } else {
            due_ms[i] = now_ms + (uint64_t)rand() % (rand() % 8 == 0 ? 4 * ROUND_MS : 2000) + 1;
            timer_arm(&wheel, &alarms[i].timer, due_ms[i]);
        }
        now_ms += rand() % 500 == 0 ? (uint64_t)rand() % (3 * ROUND_MS) : (uint64_t)rand() % 40;
        timer_wheel_advance(&wheel, now_ms);
        for (i = 0; i < ALARMS; i++) {
            if (alarms[i].fired > 0) {
                cr_assert_eq(alarms[i].fired, 1);
                cr_assert(due_ms[i] != 0 && due_ms[i] <= now_ms, "step %u: fired early", step);
                alarms[i].fired = 0;
                due_ms[i] = 0;
                fired_total++;
            }
            cr_assert(due_ms[i] == 0 || now_ms < due_ms[i] + TIMER_TICK_MS, "step %u: late", step);
            cr_assert_eq(alarms[i].timer.armed, due_ms[i] != 0);
        }
    }
    cr_assert_gt(fired_total, STEPS / 10);
}
