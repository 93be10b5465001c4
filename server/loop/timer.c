#include "server/loop/timer.h"

#include "base/check.h"

static unsigned slot_of(uint64_t tick)
{
    return (unsigned)(tick % TIMER_SLOTS);
}

static void mark(struct timer_wheel *wheel, unsigned slot, bool occupied)
{
    uint64_t bit = UINT64_C(1) << (slot % 64);

    if (occupied) {
        wheel->occupied[slot / 64] |= bit;
    } else {
        wheel->occupied[slot / 64] &= ~bit;
    }
}

void timer_wheel_init(struct timer_wheel *wheel, uint64_t now_ms)
{
    *wheel = (struct timer_wheel){.tick = now_ms / TIMER_TICK_MS};
    for (unsigned slot = 0; slot < TIMER_SLOTS; slot++) {
        list_init(&wheel->slots[slot]);
    }
}

void timer_init(struct timer *timer, void (*on_due)(struct timer *timer))
{
    *timer = (struct timer){.on_due = on_due};
    list_init(&timer->node);
}

void timer_arm(struct timer_wheel *wheel, struct timer *timer, uint64_t due_ms)
{
    /* Rounded up, so that nothing fires early. A past time goes to the next tick: the slot of this
     * one has been processed. */
    uint64_t tick = (due_ms + TIMER_TICK_MS - 1) / TIMER_TICK_MS;

    CHECK(timer->on_due != NULL);
    timer_disarm(timer);
    if (tick <= wheel->tick) {
        tick = wheel->tick + 1;
    }
    timer->due_ms = tick * TIMER_TICK_MS;
    timer->armed = true;
    list_append(&wheel->slots[slot_of(tick)], &timer->node);
    mark(wheel, slot_of(tick), true);
}

void timer_disarm(struct timer *timer)
{
    CHECK(timer->armed == !list_empty(&timer->node));
    list_remove(&timer->node);
    timer->armed = false;
}

static void run_slot(struct timer_wheel *wheel, unsigned slot, uint64_t now_ms)
{
    struct list waiting;

    list_take_all(&waiting, &wheel->slots[slot]);
    mark(wheel, slot, false);
    /* A handler may disarm any timer of this list, so the first one is looked up again each
     * time. */
    while (!list_empty(&waiting)) {
        struct timer *timer = container_of(list_take_first(&waiting), struct timer, node);

        CHECK(timer->armed);
        if (timer->due_ms > now_ms) {
            list_append(&wheel->slots[slot], &timer->node); /* a later round of the wheel */
            mark(wheel, slot, true);
            continue;
        }
        timer->armed = false;
        timer->on_due(timer);
    }
}

void timer_wheel_advance(struct timer_wheel *wheel, uint64_t now_ms)
{
    uint64_t now_tick = now_ms / TIMER_TICK_MS;

    /* After a long sleep one round over all slots is enough. The wheel jumps to its start, so that
     * timers armed by handlers land in slots not yet processed. */
    if (now_tick > wheel->tick + TIMER_SLOTS) {
        wheel->tick = now_tick - TIMER_SLOTS;
    }
    while (wheel->tick < now_tick) {
        wheel->tick++;
        unsigned slot = slot_of(wheel->tick);

        if (!list_empty(&wheel->slots[slot])) {
            run_slot(wheel, slot, now_ms);
        } else {
            mark(wheel, slot, false);
        }
    }
}

int64_t timer_wheel_wait_ms(const struct timer_wheel *wheel, uint64_t now_ms)
{
    for (unsigned ahead = 1; ahead <= TIMER_SLOTS; ahead++) {
        unsigned slot = slot_of(wheel->tick + ahead);
        uint64_t word = wheel->occupied[slot / 64] >> (slot % 64);

        if (word == 0) {
            ahead += 63 - slot % 64; /* the rest of this word is empty */
            continue;
        }
        uint64_t due_ms = (wheel->tick + ahead + (unsigned)__builtin_ctzll(word)) * TIMER_TICK_MS;

        return due_ms > now_ms ? (int64_t)(due_ms - now_ms) : 0;
    }
    return -1;
}
