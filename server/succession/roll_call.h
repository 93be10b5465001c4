/* A call that the main thread makes of all workers, and their answers. One at a time; entries and
 * counts are the main thread's again when all have answered. */
#pragma once

#include <stdatomic.h>

#include "base/attributes.h"
#include "server/handover/handover_wait.h"
#include "server/loop/worker.h"

struct roll_call {
    struct worker_group *group;
    struct ring *post; /* of the main thread */
    void *context;     /* of the one who calls */
    int answered_fd;   /* an event for each answer */
    _Atomic unsigned unanswered;
    struct roll_call_entry {
        struct call call;
        struct roll_call *roll;
    } entries[WORKERS_MAX];
};

/* Both stay the caller's. 0 or -errno. */
MUST_USE int roll_call_init(struct roll_call *roll, struct worker_group *group, struct ring *post,
                            void *context);
void roll_call_deinit(struct roll_call *roll);

/* Runs it on each worker, each of which is to answer: then or later. Blocks until all have. 0, or
 * -errno of the wait: then some may answer later, and roll_call_is_over says when all have. */
MUST_USE int roll_call_make(struct roll_call *roll,
                            void (*run)(struct worker *worker, struct call *call),
                            const struct handover_wait *wait);
bool roll_call_is_over(struct roll_call *roll);

/* No answer will come any more of those that have not: the workers have been told. */
void roll_call_forget(struct roll_call *roll);

/* On a worker. */
struct roll_call *roll_call_of(struct call *call);
void roll_call_answer(struct roll_call *roll);
