/* The work of the main thread while the workers serve: it takes signals, reads certificates and
 * keys again, forgets expired bookings, logs the counters, tells systemd how the server is, returns
 * memory to the system, and sees to it that a stop ends. Main thread only. */
#pragma once

#include <stdint.h>

#include "server/config_reload.h"
#include "server/conn/conn_table.h"
#include "server/key_reload.h"
#include "server/tls_reload.h"
#include "server/watchdog.h"

/* Hand-overs; all zeros: there are none. */
struct supervisor_succession {
    bool (*is_wanted)(void *context); /* another program stands in this one's file */
    bool (*hand_over)(void *context); /* true: that one is the relay from now on */
    bool (*serve)(void *context);     /* it, while the rest drains; false: it has ended */
    void (*pass_on)(void *context, int signal_number); /* to it */
    void *context;
};

/* The parts that it looks after stay the caller's. */
struct supervisor {
    struct config_reload *options;
    struct conn_shared *shared;
    struct worker_group *group;
    struct key_reload *keys;
    struct tls_reload *tls;
    const struct notifier *notifier; /* what systemd hears */
    struct supervisor_succession succession;
    bool is_over;     /* another program is the relay */
    bool is_stopping; /* SIGTERM or SIGINT came */
    struct watchdog watchdog;
    uint64_t look_due_ms; /* at files and bookings; of clock_monotonic_ms */
    uint64_t tidy_due_ms;
    uint64_t given_back; /* by the workers, when the heap was trimmed last */
};

/* Before any thread exists, so that the signals reach supervisor_wait only. */
void supervisor_block_signals(void);

/* Tells systemd that the server is ready, and for `systemctl status` what it serves. */
void supervisor_tell_ready(const struct supervisor *supervisor);

/* Serves SIGHUP (options, log file, certificates, keys; with another program in this one's file as
 * SIGUSR2) and SIGUSR1 (counters) until SIGTERM, SIGINT, or SIGUSR2 that hands over. */
void supervisor_wait(struct supervisor *supervisor);

/* For the main thread in the middle of a hand-over: looks after what is due. False: SIGTERM or
 * SIGINT waits. */
bool supervisor_look(struct supervisor *supervisor);

/* Goes on until all workers have drained, which takes them drain_ms, or SIGTERM or SIGINT comes
 * again; after a hand-over also until the new program has ended, or a worker is far too late. */
void supervisor_wait_drained(struct supervisor *supervisor, uint64_t drain_ms);

/* Reads the workers' counters, which may be running: a moment's approximation then. */
void supervisor_log_counters(const struct supervisor *supervisor, const char *event);

/* Ends the process with status 1 and one line on stderr when the stop still lasts after wait_ms of
 * clock, which must live until then. Call once. */
void supervisor_limit_stop(const struct run_clock *clock, uint64_t wait_ms);
/* All is closed: what is left is the kernel's, or a leak check of a build that has one. */
void supervisor_end_stop(void);
