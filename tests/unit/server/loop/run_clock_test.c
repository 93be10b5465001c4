/* Goal: the time of a pause is taken out once, however many workers wake from it, and no worker's
 * time is ahead of another's.
 * Method: readings of the clock are given by the test; then by threads that wake at once. */
#include "server/loop/run_clock.h"

#include <criterion/criterion.h>

enum { START_MS = 1000000, PAUSE_MS = 20000, WORKERS = 8, ROUNDS = 2000 };

static struct run_clock run_clock;

static void open_clock(void)
{
    run_clock_init(&run_clock, START_MS);
}

static void close_clock(void)
{
    run_clock_deinit(&run_clock);
}

TestSuite(run_clock, .init = open_clock, .fini = close_clock);

Test(run_clock, runs_with_monotonic_time)
{
    uint64_t now_ms = START_MS;
    uint64_t pause_ms;

    for (unsigned i = 0; i < 100; i++) {
        now_ms += i % 2 == 0 ? WAIT_MS_MAX : WAIT_MS_MAX + PAUSE_MS_MIN - 1;
        cr_assert_eq(run_clock_look(&run_clock, now_ms, &pause_ms), now_ms);
        cr_assert_eq(pause_ms, 0);
    }
}

Test(run_clock, leaves_out_a_pause)
{
    uint64_t pause_ms;

    cr_assert_eq(run_clock_look(&run_clock, START_MS + 400, &pause_ms), START_MS + 400);
    cr_assert_eq(run_clock_look(&run_clock, START_MS + 400 + PAUSE_MS, &pause_ms), START_MS + 400);
    cr_assert_eq(pause_ms, PAUSE_MS);
    cr_assert_eq(run_clock_look(&run_clock, START_MS + 401 + PAUSE_MS, &pause_ms), START_MS + 401);
    cr_assert_eq(pause_ms, 0);
    cr_assert_eq(run_clock_at(&run_clock, START_MS + 401 + PAUSE_MS), START_MS + 401);
}

Test(run_clock, worker_that_stalls_alone_is_no_pause)
{
    uint64_t pause_ms;

    for (unsigned ms = 100; ms <= PAUSE_MS; ms += 100) { /* the other one looks on */
        run_clock_look(&run_clock, START_MS + ms, &pause_ms);
        cr_assert_eq(pause_ms, 0);
    }
    cr_assert_eq(run_clock_look(&run_clock, START_MS + PAUSE_MS + 50, &pause_ms),
                 START_MS + PAUSE_MS + 50);
}

Test(run_clock, reading_from_before_a_pause_does_no_harm)
{
    uint64_t pause_ms;

    run_clock_look(&run_clock, START_MS + PAUSE_MS, &pause_ms);
    cr_assert_eq(pause_ms, PAUSE_MS);
    run_clock_look(&run_clock, START_MS + 10, &pause_ms); /* read, then stopped */
    cr_assert_eq(pause_ms, 0);
    cr_assert_eq(run_clock_look(&run_clock, START_MS + PAUSE_MS + 10, &pause_ms), START_MS + 10);
}

static pthread_barrier_t barrier;
static _Atomic uint64_t pauses;

/* Each round is a pause from which all wake at once; each may then show the time right after it. */
static void *wake(void *argument)
{
    uint64_t wrong = 0;

    for (unsigned round = 1; round <= ROUNDS; round++) {
        uint64_t pause_ms;

        pthread_barrier_wait(&barrier);
        wrong += run_clock_look(&run_clock, START_MS + (uint64_t)round * PAUSE_MS, &pause_ms) !=
                 START_MS;
        atomic_fetch_add(&pauses, pause_ms > 0);
    }
    return (void *)(uintptr_t)wrong;
}

Test(run_clock, workers_that_wake_at_once_see_the_same_time)
{
    pthread_t threads[WORKERS];
    void *wrong;

    pthread_barrier_init(&barrier, NULL, WORKERS);
    for (unsigned i = 0; i < WORKERS; i++) {
        cr_assert_eq(pthread_create(&threads[i], NULL, wake, NULL), 0);
    }
    for (unsigned i = 0; i < WORKERS; i++) {
        pthread_join(threads[i], &wrong);
        cr_assert_null(wrong);
    }
    pthread_barrier_destroy(&barrier);
    cr_assert_eq(atomic_load(&pauses), ROUNDS);
}
