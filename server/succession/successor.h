/* The new program's side of a hand-over (docs/handover.md), while the running one serves on: it
 * gets ready, takes what it is given, and serves when it is told to. Main thread only; blocks. */
#pragma once

#include <stdbool.h>

#include "base/attributes.h"
#include "server/admin_listener.h"
#include "server/conn/conn_table.h"
#include "server/handover/handover_channel.h"
#include "server/handover/handover_stream.h"
#include "server/listen.h"
#include "server/succession/roll_call.h"

enum successor_limits {
    SUCCESSOR_WAIT_MS = 60000, /* for the running program, which waits less long for this one */
    SUCCESSOR_TOLD_MS = 2000,  /* for systemd to hear of this one: more than NOTIFIER_WAIT_MS */
    SUCCESSOR_ERROR_SIZE = 512,
};

struct successor {
    struct handover_channel channel; /* closed: this program begins anew */
    struct roll_call roll;
    unsigned parts_count; /* of what was live on workers of the other program */
    struct handover_stream parts[WORKERS_MAX];
    struct successor_worker {
        bool has_failed;
        char error[SUCCESSOR_ERROR_SIZE];
    } workers[WORKERS_MAX];
};

/* As the environment says. False: a channel is named there that is none. */
MUST_USE bool successor_init(struct successor *successor);
void successor_deinit(struct successor *successor);

/* This program is to take over. */
bool successor_is_one(const struct successor *successor);

/* Says what it cannot change, and takes the listening sockets. 0, or -errno with one line in
 * error. */
MUST_USE int successor_take_sockets(struct successor *successor, const struct server_config *config,
                                    struct listen_ports *ports, struct admin_listener *admin,
                                    char error[static SUCCESSOR_ERROR_SIZE]);

/* All else is there; takes codes and bookings. clock: of the codes. The same results. */
MUST_USE int successor_take_state(struct successor *successor, struct conn_shared *shared,
                                  const struct run_clock *clock,
                                  char error[static SUCCESSOR_ERROR_SIZE]);

/* The file of bookings is open; the workers take what was live, without beginning with it. post: a
 * ring of the main thread. The same results. */
MUST_USE int successor_take_connections(struct successor *successor, struct worker_group *group,
                                        struct ring *post, char error[static SUCCESSOR_ERROR_SIZE]);

/* Waits for the word to serve. The same results. */
MUST_USE int successor_await_go(struct successor *successor,
                                char error[static SUCCESSOR_ERROR_SIZE]);
