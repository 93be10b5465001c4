/* A worker: one thread with its own ring, receive buffers, message memory, timers and counters.
 * Each turn: wait, run completions, run timers, send queued data, submit. Everything in struct
 * worker belongs to that thread unless stated otherwise. The loop knows nothing of connections: it
 * calls upward through worker_ops. */
#pragma once

#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>

#include "base/log.h"
#include "server/loop/block_pool.h"
#include "server/loop/mailbox.h"
#include "server/loop/outbox.h"
#include "server/loop/recv_pool.h"
#include "server/loop/ring.h"
#include "server/loop/run_clock.h"
#include "server/loop/timer.h"
#include "server/stats/alarms.h"
#include "server/stats/counters.h"
#include "server/stats/histogram.h"

enum worker_limits {
    WORKERS_MAX = 64,            /* one bit each in a topic's mask of interested workers */
    TURN_MS_MAX = 2,             /* taking completions, before what they made is sent */
    TURN_LOOK_EVERY = 16,        /* completions between two looks at the clock */
    WORKER_STUCK_MS = 5000,      /* without a turn: it hangs */
    IDLE_PERIOD_MS = 2000,       /* memory that was of no use in one is given back */
    TIMERS_WAIT_MS_MAX = 1000,   /* while turns are cut short: what came is read before deadlines */
    LETTERS_PENDING_MAX = 32768, /* parcels on their way to one worker; more are dropped */
    REQUEST_MEMORY_BYTES = 128 * 1024 * 1024, /* per worker, for HTTP requests being read */
};

_Static_assert((int)OUTBOX_HOMES == (int)WORKERS_MAX, "each worker has a place");

struct worker_ops {
    /* In the worker's thread, before and after all else. on_start: 0 or -errno. */
    int (*on_start)(struct worker *worker);
    void (*on_stop)(struct worker *worker);
    /* A parcel arrived, or came back undelivered. */
    void (*on_parcel)(struct worker *worker, void *parcel);
    void (*on_undelivered)(struct worker *worker, void *parcel);
    /* Work that may wait until the data of a turn has been submitted, if work_waits. */
    void (*on_work)(struct worker *worker);
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
    struct outbox outbox;       /* leaves at the end of the turn */
    struct timer_wheel timers;
    struct counters counters;    /* others may read */
    struct histogram turns;      /* from waking to the submit; others may read */
    struct histogram deliveries; /* of messages, from their receipt; others may read */
    uint64_t now_ms;             /* run_clock_ms at the start of this turn */
    uint64_t looked_ms;          /* clock_monotonic_ms then */
    uint64_t timers_ran_ms;      /* now_ms of the last time; while timers run, of the time before */
    uint32_t whole_turns;        /* that took all completions; wraps around */
    bool work_waits;             /* set by the layer above: on_work is wanted, without a wait */
    bool gives_back;             /* memory of the last period, some of it in each turn */
    uint64_t period_ends_ms;     /* see block_pool_end_period */
    bool stopping;               /* set by a call; no new connections */
    void *context;               /* the upper layer's state for this worker */
    struct log_limit log_limit;  /* lines an outsider can cause */
    struct alarms alarms;        /* lines about bounds that an operator should act on */
    pthread_t thread;
    int start_error;
    _Atomic int ring_fd;        /* others post to it; -1 before start */
    _Atomic size_t blocks_left; /* for messages, at the end of the last turn; others may read */
    _Atomic uint64_t turned_ms; /* now_ms of the last turn; others may read */
    /* Letters posted to this worker and not yet taken. Others write it with each letter: it has
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

/* True while each worker has turned within WORKER_STUCK_MS; now_ms of the run clock. *ret_stuck:
 * one that has not, when it returns false. Any thread. */
bool worker_group_turns(const struct worker_group *group, uint64_t now_ms, unsigned *ret_stuck);

/* Logs, at a limited rate, that a bound was reached that an operator should act on. */
void worker_alarm(struct worker *worker, enum alarm_kind kind);
void worker_alarm_about(struct worker *worker, enum alarm_kind kind, const char *key,
                        const char *text);

/* Runs call on the worker, from one of the workers. */
void worker_call(struct worker *from, struct worker *target, struct call *call);

/* Memory left for messages of a worker: the current value for the calling one, that of the end of
 * its last turn for another. */
size_t worker_memory_left(const struct worker *asking, unsigned index);

/* Whether half of its memory for messages and those bytes are left: then it may also be used for
 * what is not a live message. */
bool worker_memory_has_half(const struct worker *asking, unsigned index, size_t bytes);

/* The same for all of them, from a thread that is no worker, through a ring of its own. calls: one
 * for each. Blocks while the kernel has no memory for it. */
void worker_group_call(struct worker_group *group, struct ring *from, struct call *calls[],
                       void (*on_call)(struct worker *worker, struct call *call));

/* Posts to another worker. False, with nothing taken, when it is LETTERS_PENDING_MAX behind. */
MUST_USE bool worker_post_parcel(struct worker *from, unsigned target, void *parcel);

/* All in the outbox that is due at home: one letter for each worker. The loop does so at the end of
 * each turn. */
void worker_post_homeward(struct worker *from);

/* A LETTER_HOME arrived: each comes home. */
void worker_take_home(struct worker *worker, struct outbox_item *items);
