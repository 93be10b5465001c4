/* Goal: threads take no signals and leave the mask of their maker as it was; waits follow the
 * monotonic clock.
 * Method: a thread that looks at its mask; a wait for a deadline of the monotonic clock. */
#include <criterion/criterion.h>
#include <errno.h>
#include <signal.h>

#include "base/clock.h"
#include "base/thread.h"

static void *look_at_mask(void *context)
{
    pthread_sigmask(SIG_SETMASK, NULL, context);
    return NULL;
}

Test(thread, takes_no_signals)
{
    sigset_t of_thread, before, after;
    pthread_t thread;

    sigemptyset(&of_thread);
    pthread_sigmask(SIG_SETMASK, NULL, &before);
    cr_assert_eq(thread_start(&thread, look_at_mask, &of_thread), 0);
    pthread_sigmask(SIG_SETMASK, NULL, &after);
    pthread_join(thread, NULL);
    cr_assert_eq(sigismember(&of_thread, SIGTERM), 1);
    cr_assert_eq(sigismember(&of_thread, SIGINT), 1);
    cr_assert_eq(sigismember(&of_thread, SIGHUP), 1);
    for (int number = 1; number < 32; number++) {
        cr_assert_eq(sigismember(&after, number), sigismember(&before, number), "%d", number);
    }
}

/* A deadline 50 ms ahead on the monotonic clock is long past on the wall clock: a condition of the
 * wall clock would end the wait at once. */
Test(thread, condition_waits_by_the_monotonic_clock)
{
    pthread_mutex_t mutex = PTHREAD_MUTEX_INITIALIZER;
    uint64_t end_ns = clock_monotonic_ns() + 50 * 1000000u;
    struct timespec end = {.tv_sec = (time_t)(end_ns / 1000000000u),
                           .tv_nsec = (long)(end_ns % 1000000000u)};
    pthread_cond_t condition;
    int failed = 0;

    thread_condition_init(&condition);
    pthread_mutex_lock(&mutex);
    while (failed == 0) {
        failed = pthread_cond_timedwait(&condition, &mutex, &end);
    }
    pthread_mutex_unlock(&mutex);
    pthread_cond_destroy(&condition);
    cr_assert_eq(failed, ETIMEDOUT);
    cr_assert_geq(clock_monotonic_ns(), end_ns);
}
