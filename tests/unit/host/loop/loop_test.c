/* Goal: descriptors and timers call back when they should, and never after they were removed.
 * Method: pipes, and timers in the past. */
#include "host/loop/loop.h"

#include <criterion/criterion.h>
#include <unistd.h>

struct fixture {
    struct loop loop;
    struct loop_watch first, second;
    struct loop_timer timer;
    unsigned ready, due;
};

static void on_ready(struct loop_watch *watch, uint32_t events)
{
    struct fixture *fixture = watch->owner;

    cr_assert(events & EPOLLIN);
    fixture->ready++;
    /* The other one is ready in the same turn. */
    loop_watch_remove(&fixture->loop,
                      watch == &fixture->first ? &fixture->second : &fixture->first);
}

static void on_due(struct loop_timer *timer)
{
    struct fixture *fixture = container_of(timer, struct fixture, timer);

    fixture->due++;
    if (fixture->due < 3) {
        loop_timer_arm(&fixture->loop, timer, 0);
    } else {
        loop_stop(&fixture->loop);
    }
}

Test(loop, calls_nothing_that_was_removed_in_the_same_turn)
{
    struct fixture fixture = {0};
    int pipes[2][2];

    cr_assert_eq(loop_open(&fixture.loop), 0);
    for (size_t i = 0; i < 2; i++) {
        struct loop_watch *watch = i == 0 ? &fixture.first : &fixture.second;

        cr_assert_eq(pipe(pipes[i]), 0);
        cr_assert_eq(write(pipes[i][1], "x", 1), 1);
        *watch = (struct loop_watch){
            .fd = pipes[i][0], .events = EPOLLIN, .on_ready = on_ready, .owner = &fixture};
        cr_assert_eq(loop_watch_add(&fixture.loop, watch), 0);
    }
    loop_turn(&fixture.loop, 1000);
    cr_assert_eq(fixture.ready, 1);
    loop_close(&fixture.loop);
}

Test(loop, waits_for_the_events_that_are_wanted)
{
    struct fixture fixture = {0};
    int ends[2];

    cr_assert_eq(loop_open(&fixture.loop), 0);
    cr_assert_eq(pipe(ends), 0);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    fixture.first = (struct loop_watch){
        .fd = ends[0], .events = EPOLLIN, .on_ready = on_ready, .owner = &fixture};
    fixture.second = (struct loop_watch){.fd = ends[1], .events = 0};
    cr_assert_eq(loop_watch_add(&fixture.loop, &fixture.first), 0);
    cr_assert_eq(loop_watch_add(&fixture.loop, &fixture.second), 0);
    loop_watch_change(&fixture.loop, &fixture.first, 0);
    loop_turn(&fixture.loop, 0);
    cr_assert_eq(fixture.ready, 0);
    loop_watch_change(&fixture.loop, &fixture.first, EPOLLIN);
    loop_turn(&fixture.loop, 0);
    cr_assert_eq(fixture.ready, 1);
    loop_close(&fixture.loop);
}

Test(loop, runs_timers_once_in_a_turn_and_not_when_disarmed)
{
    struct fixture fixture = {0};

    cr_assert_eq(loop_open(&fixture.loop), 0);
    loop_timer_init(&fixture.timer, on_due);
    loop_timer_arm(&fixture.loop, &fixture.timer, 0);
    loop_timer_disarm(&fixture.timer);
    cr_assert_not(loop_timer_is_armed(&fixture.timer));
    loop_turn(&fixture.loop, 0);
    cr_assert_eq(fixture.due, 0);
    loop_timer_arm(&fixture.loop, &fixture.timer, fixture.loop.now_ms + 5);
    loop_turn(&fixture.loop, 0);
    cr_assert_eq(fixture.due, 0, "not yet");
    loop_timer_arm(&fixture.loop, &fixture.timer, 0);
    loop_turn(&fixture.loop, 1000);
    cr_assert_eq(fixture.due, 1);
    loop_run(&fixture.loop);
    cr_assert_eq(fixture.due, 3);
    loop_close(&fixture.loop);
}
