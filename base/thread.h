/* How threads start and wait. Any thread. */
#pragma once

#include <pthread.h>

#include "base/attributes.h"

/* Starts a thread that takes no signals: they are for the program's own threads. 0 or -errno. */
MUST_USE int thread_start(pthread_t *ret_thread, void *(*run)(void *context), void *context);

/* A condition whose deadlines are times of the monotonic clock (base/clock.h), so that a step of
 * the wall clock neither ends a wait nor makes it longer. */
void thread_condition_init(pthread_cond_t *condition);
