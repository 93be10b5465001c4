/* A worker: one thread with its own ring, receive buffers, message memory, timers and counters.
 * Each turn: wait, run completions, run timers, send queued data, submit. Everything in struct
 * worker belongs to that thread unless stated otherwise. The loop knows nothing of connections: it
 * calls upward through worker_ops. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/log.h"
#include "server/loop/alarm.h"
#include "server/loop/block_pool.h"
#include "server/loop/mailbox.h"
#include "server/loop/recv_pool.h"
#include "server/loop/ring.h"
#include "server/loop/run_clock.h"
#include "server/loop/timer.h"
#include "server/stats/counters.h"

struct worker_ops {
    /* In the worker's thread, before and after all else. on_start: 0 or -errno. */
    int (*on_start)(struct worker *worker);
    void (*on_stop)(struct worker *worker);
    /* A LETTER_MESSAGE or LETTER_MESSAGE_HOME arrived, or came back undelivered. */
    void (*on_letter)(struct worker *worker, enum letter_kind kind, void *pointer);
    void (*on_undelivered)(struct worker *worker, enum letter_kind kind, void *pointer);
    /* After the completions and timers of a turn, before the submit. */
    void (*on_turn_end)(struct worker *worker);
    /* True when nothing is left to wait for; called only while stopping. */
    bool (*is_drained)(struct worker *worker);
};

struct worker_group;

struct worker {
    unsigned index;
    struct worker_group *group;
    struct ring ring;
    struct recv_pool recv_pool;
    struct block_pool blocks;   /* messages and their data */
    struct block_pool requests; /* HTTP requests being read, of all connections */
    struct timer_wheel timers;
    struct counters counters;   /* others may read */
    uint64_t now_ms;            /* run_clock_ms at the start of this turn */
    uint64_t looked_ms;         /* clock_monotonic_ms then */
    uint64_t timers_ran_ms;     /* now_ms of the last turn that was not cut short */
    bool stopping;              /* set by a call; no new connections */
    void *context;              /* the upper layer's state for this worker */
    struct log_limit log_limit; /* lines an outsider can cause */
    struct alarms alarms;       /* lines about bounds that an operator should act on */
    pthread_t thread;
    int start_error;
    _Atomic int ring_fd;        /* others post to it; -1 before start */
    _Atomic size_t blocks_left; /* for messages, at the end of the last turn; others may read */
    /* Messages posted to this worker and not yet taken. Others write it with each letter: it has
     * its own cache line, so that they do not invalidate one that the owner reads constantly. */
    _Alignas(64) _Atomic uint32_t letters_pending;
};

struct worker_group {
    struct worker *workers;
    unsigned workers_count;
    const struct worker_ops *ops;
    void *context;              /* shared by all: the server */
    size_t message_bytes_max;   /* per worker */
    struct run_clock clock;     /* of all workers' deadlines */
    pthread_barrier_t started;  /* workers and the starting thread */
    _Atomic unsigned undrained; /* workers that still have something to wait for */
};

enum { WORKER_GROUP_STUCK = 1 };

/* Starts workers_count threads and waits until each is ready. On failure all are stopped again. 0,
 * or -errno of the first that failed; WORKER_GROUP_STUCK when a thread could not be created: then
 * the others wait indefinitely, and the process must exit. */
MUST_USE int worker_group_start(struct worker_group *group, unsigned workers_count);

/* Waits for the end of all threads, after a call on each has set `stopping`. Counters stay
 * readable. */
void worker_group_join(struct worker_group *group);
void worker_group_destroy(struct worker_group *group);

/* Logs, at a limited rate, that a bound was reached that an operator should act on. */
void worker_alarm(struct worker *worker, enum alarm_kind kind);

/* Runs call on the worker, from one of the workers. */
void worker_call(struct worker *from, struct worker *target, struct call *call);

/* Memory left for messages of a worker: the current value for the calling one, that of the end of
 * its last turn for another. */
size_t worker_memory_left(const struct worker *asking, unsigned index);

/* Posts to another worker. False, with nothing taken, when it is LETTERS_PENDING_MAX behind
 * (LETTER_MESSAGE only). */
MUST_USE bool worker_post_message(struct worker *from, unsigned target, void *message);
void worker_post_home(struct worker *from, unsigned target, void *message);
