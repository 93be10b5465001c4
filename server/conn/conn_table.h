/* All connections of one worker, and its listeners. Memory for the largest number is reserved at
 * start; the kernel provides pages as they are used, and has them back when they are of no use any
 * more. Owner worker only. */
#pragma once

#include <stdatomic.h>
#include <stdbool.h>
#include <stdint.h>

#include "base/list.h"
#include "server/access/access.h"
#include "server/config.h"
#include "server/conn/address.h"
#include "server/conn/hold.h"
#include "server/conn/unfinished.h"
#include "server/hub/drop_policy.h"
#include "server/hub/topic.h"
#include "server/loop/slab.h"
#include "server/loop/worker.h"
#include "server/tls/ktls.h"

struct conn;

/* The service of a listener; one may serve both. */
enum listener_role {
    LISTENER_ACCESS = 1,
    LISTENER_RELAY = 2,
    LISTENER_BOTH = LISTENER_ACCESS | LISTENER_RELAY,
    LISTENER_ADMIN = 4, /* of the first worker only; never with TLS */
};

enum conn_table_limits {
    /* A worker has several of a port when the program before this one had more workers. */
    LISTENERS_MAX = 2 * WORKERS_MAX + 1,
    BOOKING_BUCKETS = 1024,    /* of each worker's connections, to find those of a booking */
    REFUSALS_LOGGED_MAX = 100, /* by each worker in LOG_LIMIT_PERIOD_MS; more are counted */
    LAG_LOG_MS = 1000,         /* between lines about slow viewers, of each worker */
};

/* The topic on which the relay reports its connections. */
#define STATS_TOPIC "stats"

/* Where connections come from. */
struct listener_socket {
    int fd; /* -1: closed */
    enum listener_role role;
    bool is_shared; /* all workers, and systemd, accept on this one; or it is a Unix socket, whose
                     * accept a shutdown does not end */
};

struct listener {
    struct op accept_op;
    struct op cancel_op; /* of a shared socket, which must go on listening */
    struct listener_socket socket;
    bool paused; /* no descriptors left; accept_retry arms it again */
    struct conn_table *table;
};

struct booking_errands;
struct booking_store;
struct placement;
struct phase_ops;
struct predecessor;

/* The two shapes of reports that clients know: the topic's (all keys, camelCase) and that of
 * GET /status (snake_case, empty ones left out). */
enum report_shape { REPORT_TOPIC, REPORT_STATUS, REPORT_SHAPES };

/* Reports of one shape: one is made at a time, and requests in the meantime wait for the next. */
struct report_line {
    struct report *current;  /* being made, or NULL */
    struct report_ask *asks; /* for the next one */
    uint32_t asks_count;
    bool is_wanted; /* begin the next one when this is done */
};

/* Shared by the tables of all workers; immutable but for the counts. */
struct conn_shared {
    const struct phase_ops *const *phases; /* by enum conn_phase */
    /* A message was published on the stats topic, on whatever worker. */
    void (*on_command)(struct worker *worker, struct bytes payload);
    struct booking_store *store;     /* NULL: bookings are in memory only */
    struct booking_errands *errands; /* NULL: no program before this one has connections left */
    struct predecessor *predecessor; /* hands over to the next program */
    struct topic *stats_topic;       /* referenced */
    int64_t started_s;
    const struct publish_rate *publish_rate;      /* of each WebSocket; NULL: none */
    _Atomic(const struct server_config *) config; /* a reload replaces it */
    const struct option_table *options;           /* of the config */
    struct access_context access;
    struct topic_registry *topics;
    struct placement *placement; /* NULL: WebSockets stay where they were accepted */
    struct send_queue_bounds bounds;
    struct tls_slot *tls; /* NULL: plain TCP */
    struct ktls_support ktls;
    bool ktls_required;
    uint32_t connections_max;     /* as configured, or as many as there are descriptors for */
    _Atomic uint32_t connections; /* over all workers */
    _Atomic bool is_ready;        /* all workers serve */
    _Atomic unsigned drains;      /* workers that still have viewers, while draining */
    _Atomic bool update_asked;    /* a command for a report is on its way to the first worker */
};

struct conn_table {
    struct worker *worker;
    struct conn_shared *shared;
    struct slab places;      /* more than may be open: evicted ones take a moment to close */
    struct conn *conns;      /* in these places */
    uint64_t period_ends_ms; /* of the worker, when its last turn ended */
    uint32_t open_count;
    uint32_t evicting; /* of those, ones without a place, which are being closed */
    struct unfinished unfinished;
    struct list open;
    struct hold hold;
    struct list paced;                         /* connections that send too fast, for a turn */
    uint32_t burst_spent;                      /* in this turn, by those that send at once */
    size_t placed_bytes;                       /* that receives of this turn may bring in place */
    struct list ready;                         /* connections to send on at the end of the turn */
    size_t sealed_bytes;                       /* of records that are not submitted yet */
    struct list bookings[BOOKING_BUCKETS];     /* WebSockets by booking id */
    uint64_t renewals_ms;                      /* when renewals_spent was brought up to date */
    uint32_t renewals_spent;                   /* tokens verified, less those that time gave back */
    uint32_t leaving;                          /* connections on their way to other workers */
    uint32_t deferred;                         /* answers that other threads owe to this worker */
    uint32_t snapshots;                        /* of these, copies of pictures */
    uint64_t snapshot_ms;                      /* when this worker began to count what it copies */
    size_t snapshot_bytes;                     /* that it has copied since */
    struct report_line reports[REPORT_SHAPES]; /* first worker only, as the next two */
    struct timer report_timer;
    struct timer drain_timer; /* admin/draining.h */
    uint64_t drain_until_ms, drain_even_ms, drain_time_ms;
    bool drain_whole;       /* publishers too, and until nothing is left */
    uint32_t drain_viewers; /* at its begin */
    uint64_t report_last_ms;
    uint64_t serial_last; /* of the connection that was opened last */
    struct list starved;  /* connections to receive on when buffers are back */
    struct listener listeners[LISTENERS_MAX];
    unsigned listeners_count;
    bool accepts_held;  /* connections wait in the backlog: conn/listener.h */
    bool requests_held; /* handshakes and requests wait for their turn: conn/engine.h */
    struct timer accept_retry;
    int64_t wall_ahead_ms; /* of now_ms, when ends of tokens were last looked at */
    struct log_limit refusals_log_limit;
    uint64_t lag_logged_ms; /* a line about a slow viewer was written */
    uint8_t *plaintext;     /* TLS_RECORD_PAYLOAD_MAX: what user-space TLS decrypts, for one turn */
};

/* An empty table without memory for connections and without listeners. */
void conn_table_init(struct conn_table *table, struct worker *worker, struct conn_shared *shared);

/* The WebSockets of bookings in the same bucket as this one: compare the id. */
struct list *conn_table_booking(struct conn_table *table, const char *booking_id);

/* True: conn_table_take would return NULL. */
bool conn_table_is_full(const struct conn_table *table);

/* A free connection, or NULL at the bound. */
MUST_USE struct conn *conn_table_take(struct conn_table *table);
/* The same for a connection that moves here from another worker: it has its place among the
 * connections already, so there is no bound. */
MUST_USE struct conn *conn_table_take_moved(struct conn_table *table);
void conn_table_put(struct conn_table *table, struct conn *conn);

/* Its place belongs to the connection that it became on another worker: it is given up next, and no
 * longer counts. */
void conn_table_pass_place(struct conn_table *table, struct conn *conn);
/* Counts the connection no more, which is being closed: another may take its place at once. */
void conn_table_vacate(struct conn_table *table, struct conn *conn);
