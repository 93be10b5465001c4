/* Goal: a wait ends with what it waits for, at its deadline, or when it is given up. */
#include "server/handover/handover_wait.h"

#include <criterion/criterion.h>
#include <errno.h>
#include <poll.h>
#include <unistd.h>

#include "base/clock.h"

static int ends[2];
static unsigned asked;

static void open_pipe(void)
{
    cr_assert_eq(pipe(ends), 0);
    asked = 0;
}

static void close_pipe(void)
{
    close(ends[0]);
    close(ends[1]);
}

TestSuite(handover_wait, .init = open_pipe, .fini = close_pipe);

static bool go_on_twice(void *context)
{
    return ++asked <= 2;
}

Test(handover_wait, ends_with_the_event)
{
    const struct handover_wait wait = {.deadline_ms = clock_monotonic_ms() + 60000};

    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_assert_eq(handover_wait_for(&wait, ends[0], POLLIN), 0);
}

Test(handover_wait, looks_once_after_the_deadline)
{
    const struct handover_wait wait = {.deadline_ms = 0};

    cr_assert_eq(handover_wait_for(&wait, ends[0], POLLIN), -ETIMEDOUT);
    cr_assert_eq(write(ends[1], "x", 1), 1);
    cr_assert_eq(handover_wait_for(&wait, ends[0], POLLIN), 0);
}

Test(handover_wait, lasts_to_the_deadline_and_not_longer)
{
    uint64_t now_ms = clock_monotonic_ms();
    const struct handover_wait wait = {.deadline_ms = now_ms + 30};

    cr_assert_eq(handover_wait_for(&wait, -1, 0), -ETIMEDOUT);
    cr_assert_geq(clock_monotonic_ms(), now_ms + 30);
}

Test(handover_wait, is_given_up)
{
    const struct handover_wait wait = {.deadline_ms = clock_monotonic_ms() + 60000,
                                       .go_on = go_on_twice};

    cr_assert_eq(handover_wait_for(&wait, ends[0], POLLIN), -ECANCELED);
    cr_assert_eq(asked, 3);
}

Test(handover_wait, moment_passes_after_the_deadline_too)
{
    uint64_t now_ms = clock_monotonic_ms();
    const struct handover_wait wait = {.deadline_ms = 0};

    cr_assert_eq(handover_wait_a_moment(&wait), 0);
    cr_assert_geq(clock_monotonic_ms(), now_ms + HANDOVER_PAUSE_MS);
}

Test(handover_wait, moment_is_given_up)
{
    const struct handover_wait wait = {.go_on = go_on_twice};

    asked = 2;
    cr_assert_eq(handover_wait_a_moment(&wait), -ECANCELED);
}

Test(handover_wait, tells_the_end_of_the_other_side)
{
    const struct handover_wait wait = {.deadline_ms = clock_monotonic_ms() + 60000};

    close(ends[1]);
    cr_assert_eq(handover_wait_for(&wait, ends[0], POLLIN), 0);
    ends[1] = dup(ends[0]);
}
