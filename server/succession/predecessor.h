/* The running program's side of a hand-over (docs/handover.md): it starts the program that follows
 * it, gives it all that can move, and is then only there for the rest. Whatever goes wrong before
 * the last step, it goes on as if nothing had been. Main thread only; blocks for as long as the
 * steps take, in which it looks at what the main thread has to look after. */
#pragma once

#include <stdbool.h>
#include <stdint.h>
#include <sys/types.h>

#include "base/attributes.h"
#include "base/systemd/notifier.h"
#include "server/admin_listener.h"
#include "server/config_reload.h"
#include "server/conn/conn_table.h"
#include "server/handover/handover_channel.h"
#include "server/handover/handover_program.h"
#include "server/handover/handover_stream.h"
#include "server/listen.h"
#include "server/succession/roll_call.h"
#include "server/supervisor.h"

enum predecessor_limits {
    PREDECESSOR_START_MS = 10000,  /* until the new program could serve */
    PREDECESSOR_FREEZE_MS = 10000, /* from then on, until it does */
    PREDECESSOR_REQUESTS_MS = 200, /* for requests that are under way, before they are held */
    PREDECESSOR_WORKERS_MS = 2000, /* for the workers to go on */
    PREDECESSOR_ERROR_SIZE = 600,
};

/* A worker's part in a hand-over. */
struct predecessor_worker {
    uint32_t under_way; /* requests, answers that other threads owe, moves to other workers */
    bool is_quiet;      /* no accept is in flight */
    int failed;         /* to write what is live there */
    struct handover_stream stream;
};

struct predecessor {
    /* Parts of the server. */
    const struct config_reload *options;
    struct conn_shared *shared;
    struct worker_group *group;
    const struct listen_ports *ports;
    struct admin_listener *admin;
    int admin_fd; /* as the first worker has it; -1: none */
    struct notifier *notifier;
    struct supervisor *supervisor; /* which looks after what is due while this waits */
    struct handover_program program;
    bool is_child_of_first; /* process 1 started it */

    /* The hand-over that is under way. */
    struct handover_channel channel;
    struct handover_wait wait;
    pid_t pid;
    bool is_started, is_paused;  /* the program; the store */
    uint64_t held_ms, frozen_ms; /* of clock_monotonic_ms: requests and accepts; connections */
    uint64_t noted_ns;           /* the end of the last step */
    uint32_t moved;
    struct roll_call steps, back; /* back: after a step that failed, and at the end */
    struct predecessor_worker workers[WORKERS_MAX];
    bool is_stuck; /* a worker did not answer the second */
    char error[PREDECESSOR_ERROR_SIZE];
    char denied_id[TOKEN_TEXT_SIZE]; /* a denial that is carried out */
};

/* Before the program's file can be replaced; post is a ring of the main thread. The caller sets the
 * parts of the server. 0 or -errno. */
MUST_USE int predecessor_init(struct predecessor *predecessor, const struct config_source *source,
                              struct ring *post);
void predecessor_deinit(struct predecessor *predecessor);

/* After the server has run: it handed over to a program that has ended, and not in order, so that
 * no relay serves here. */
bool predecessor_successor_failed(const struct predecessor *predecessor);

/* Hand-overs as the supervisor sees them. */
struct supervisor_succession predecessor_as_seen(struct predecessor *predecessor);
