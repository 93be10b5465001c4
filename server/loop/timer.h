/* Deadlines of one worker: a wheel of TIMER_SLOTS slots of TIMER_TICK_MS. A timer is embedded in
 * its owner and fires within one tick after it is due. Owner worker only; never allocates. */
#pragma once

#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"

enum timer_limits { TIMER_TICK_MS = 100, TIMER_SLOTS = 512 };

struct timer {
    struct list node;
    uint64_t due_ms;
    void (*on_due)(struct timer *timer); /* the timer is disarmed already; it may be armed again */
    bool armed;
};

struct timer_wheel {
    struct list slots[TIMER_SLOTS];
    uint64_t occupied[TIMER_SLOTS / 64]; /* a set bit: the slot may hold timers */
    uint64_t tick;                       /* all slots up to this one were processed */
};

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms);

/* Runs the timers that are due. */
void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms);

/* Time until a timer may be due: ms, or -1 without timers. */
int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms);

void timer_init(struct timer *timer, void (*on_due)(struct timer *timer));

/* Arms, or moves when armed. Times are of the worker's now_ms; a past one fires in the next tick.
 */
void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms);

/* Harmless when not armed. */
void timer_disarm(struct timer *timer);
